#include "transport/ucx/ucx_carrier.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <vector>

#include "core/base/check.h"

namespace ferry {

namespace {

std::string family_of(const std::string& transport) {
  for (const char* shm : {"self", "sysv", "posix", "xpmem", "cma", "knem"})
    if (transport == shm) return "shm";
  for (const char* cuda : {"cuda_ipc", "cuda_copy", "gdr_copy"})
    if (transport == cuda) return "cuda";
  for (const char* rdma : {"rc", "dc", "ud"})
    if (transport.starts_with(rdma)) return "rdma";
  return transport;
}

std::string info_of(ucp_ep_h endpoint) {
  char* text = nullptr;
  size_t bytes = 0;
  std::FILE* stream = open_memstream(&text, &bytes);
  check(stream != nullptr, "a stream in memory opens");
  ucp_ep_print_info(endpoint, stream);
  std::fclose(stream);
  std::string result(text, bytes);
  std::free(text);
  return result;
}

struct Lane {
  std::string number;
  std::string family;
  bool carries_messages = false;
};

// #   lane[0]:  1:sysv/memory.0 md[1]  -> md[1]/sysv/sysdev[255] am am_bw#0 keepalive
std::vector<Lane> lanes_in(const std::string& info) {
  static const std::regex lane_line(R"(lane\[(\d+)\]:\s*\d+:(\w+)/.*)");
  std::vector<Lane> lanes;
  for (std::sregex_iterator line(info.begin(), info.end(), lane_line), end; line != end; ++line) {
    const bool carries_messages = line->str().find(" am ") != std::string::npos || line->str().ends_with(" am");
    lanes.push_back({.number = (*line)[1], .family = family_of((*line)[2]), .carries_messages = carries_messages});
  }
  return lanes;
}

}  // namespace

std::string carrier_of(ucp_ep_h endpoint) { return carrier_in(info_of(endpoint)); }
std::string carrier_of_card(ucp_ep_h endpoint) { return carrier_of_card_in(info_of(endpoint)); }

std::string carrier_of_card_in(std::string_view endpoint_info) {
  const std::vector<Lane> lanes = lanes_in(std::string(endpoint_info));
  const bool by_itself =
      std::any_of(lanes.begin(), lanes.end(), [](const Lane& lane) { return lane.family == "cuda"; });
  return by_itself ? "cuda" : carrier_in(endpoint_info);
}

std::string carrier_in(std::string_view endpoint_info) {
  // #   put[0]: 0..<short>..4294967296..<bcopy>..(inf)
  static const std::regex put_line(R"(put\[(\d+)\]:)");
  const std::string info(endpoint_info);
  const std::vector<Lane> lanes = lanes_in(info);
  std::smatch put;
  if (std::regex_search(info, put, put_line)) {
    for (const Lane& lane : lanes)
      if (lane.number == put[1]) return lane.family;
  }
  for (const Lane& lane : lanes)
    if (lane.carries_messages) return lane.family;  // without a lane for puts, UCX makes them out of messages
  return "unknown";
}

bool shares_memory(ucp_ep_h endpoint) { return shares_memory_in(info_of(endpoint)); }

bool shares_memory_in(std::string_view endpoint_info) {
  const std::vector<Lane> lanes = lanes_in(std::string(endpoint_info));
  return std::any_of(lanes.begin(), lanes.end(), [](const Lane& lane) { return lane.family == "shm"; });
}

}  // namespace ferry
