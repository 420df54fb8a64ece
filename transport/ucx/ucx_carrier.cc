#include "transport/ucx/ucx_carrier.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <regex>

#include "core/base/check.h"

namespace ferry {

namespace {

std::string family_of(const std::string& transport) {
  for (const char* shm : {"self", "sysv", "posix", "xpmem", "cma", "knem"})
    if (transport == shm) return "shm";
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

}  // namespace

std::string carrier_of(ucp_ep_h endpoint) { return carrier_in(info_of(endpoint)); }

// #   lane[0]:  1:sysv/memory.0 md[1]  -> md[1]/sysv/sysdev[255] am am_bw#0 keepalive
// #   put[0]: 0..<short>..4294967296..<bcopy>..(inf)
std::string carrier_in(std::string_view endpoint_info) {
  static const std::regex lane_line(R"(lane\[(\d+)\]:\s*\d+:(\w+)/.*)"), put_line(R"(put\[(\d+)\]:)");
  const std::string info(endpoint_info);
  std::map<std::string, std::string> transports;  // by lane
  std::string of_messages = "unknown";
  for (std::sregex_iterator line(info.begin(), info.end(), lane_line), end; line != end; ++line) {
    transports[(*line)[1]] = (*line)[2];
    if (line->str().find(" am ") != std::string::npos || line->str().ends_with(" am")) of_messages = (*line)[2];
  }
  std::smatch put;
  const bool has_put_lane = std::regex_search(info, put, put_line) && transports.contains(put[1]);
  // Without a lane for puts, UCX makes them out of messages.
  return family_of(has_put_lane ? transports[put[1]] : of_messages);
}

}  // namespace ferry
