#include "transport/ucx/ucx_info.h"

#include <ucp/api/ucp.h>
#include <uct/api/uct.h>

#include <memory>

#include "transport/ucx/ucx_handles.h"
#include "transport/ucx/ucx_settings.h"

namespace ferry {
namespace {

template <class T, void (*release)(T*)>
struct Released {
  void operator()(T* handle) const { release(handle); }
};

void release_config(uct_md_config_t* config) { uct_config_release(config); }

using Components = std::unique_ptr<uct_component_h, Released<uct_component_h, uct_release_component_list>>;
using Domain = std::unique_ptr<uct_md, Released<uct_md, uct_md_close>>;
using DomainConfig = std::unique_ptr<uct_md_config_t, Released<uct_md_config_t, release_config>>;
using Resources =
    std::unique_ptr<uct_tl_resource_desc_t, Released<uct_tl_resource_desc_t, uct_release_tl_resource_list>>;

std::vector<uct_md_resource_desc_t> domains_of(uct_component_h component) {
  uct_component_attr_t attributes{};
  attributes.field_mask = UCT_COMPONENT_ATTR_FIELD_MD_RESOURCE_COUNT;
  if (uct_component_query(component, &attributes) != UCS_OK) return {};
  std::vector<uct_md_resource_desc_t> domains(attributes.md_resource_count);
  attributes.field_mask = UCT_COMPONENT_ATTR_FIELD_MD_RESOURCES;
  attributes.md_resources = domains.data();
  if (domains.empty() || uct_component_query(component, &attributes) != UCS_OK) return {};
  return domains;
}

Domain open_domain(uct_component_h component, const char* name) {
  uct_md_config_t* config = nullptr;
  if (uct_md_config_read(component, nullptr, nullptr, &config) != UCS_OK) return nullptr;
  const DomainConfig released(config);
  uct_md_h domain = nullptr;
  if (uct_md_open(component, name, config, &domain) != UCS_OK) return nullptr;
  return Domain(domain);
}

void append_transports(uct_md_h domain, std::vector<UcxTransport>& out) {
  uct_tl_resource_desc_t* list = nullptr;
  unsigned n = 0;
  if (uct_md_query_tl_resources(domain, &list, &n) != UCS_OK) return;
  const Resources released(list);
  for (unsigned i = 0; i < n; ++i) out.push_back({.name = list[i].tl_name, .device = list[i].dev_name});
}

}  // namespace

std::string ucx_version() {
  unsigned major = 0, minor = 0, release = 0;
  ucp_get_version(&major, &minor, &release);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

bool ucx_knows_cuda() {
  const UcxContext context = open_ucx_context(ucx_settings({}));
  ucp_context_attr_t attributes{};
  attributes.field_mask = UCP_ATTR_FIELD_MEMORY_TYPES;
  need_ucx(ucp_context_query(context.get(), &attributes), "tell which memory it knows");
  return (attributes.memory_types & (uint64_t{1} << UCS_MEMORY_TYPE_CUDA)) != 0;
}

std::vector<UcxTransport> ucx_transports() {
  uct_component_h* list = nullptr;
  unsigned n = 0;
  if (uct_query_components(&list, &n) != UCS_OK) return {};
  const Components released(list);
  std::vector<UcxTransport> transports;
  for (unsigned i = 0; i < n; ++i) {
    for (const uct_md_resource_desc_t& found : domains_of(list[i])) {
      if (const Domain domain = open_domain(list[i], found.md_name)) append_transports(domain.get(), transports);
    }
  }
  return transports;
}

}  // namespace ferry
