#pragma once
// Which transport UCX really chose for puts.

#include <ucp/api/ucp.h>

#include <string>
#include <string_view>

namespace ferry {

// "shm", "tcp", "rdma" or "cuda"; UCX's own name for any other.
std::string carrier_of(ucp_ep_h endpoint);

// The same for memory of a card: "cuda" where cards reach each other's by themselves.
std::string carrier_of_card(ucp_ep_h endpoint);

// The same from what ucp_ep_print_info prints: the one place where every UCX since 1.13 tells which lane does what.
std::string carrier_in(std::string_view endpoint_info);
std::string carrier_of_card_in(std::string_view endpoint_info);

// Whether any lane is shared memory: then either side can write what the other one shares, whatever becomes of the
// connection.
bool shares_memory(ucp_ep_h endpoint);
bool shares_memory_in(std::string_view endpoint_info);

}  // namespace ferry
