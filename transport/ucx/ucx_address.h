#pragma once
// What a peer needs to connect to a channel, as bytes that travel by way of others.

#include <cstdint>
#include <string>

#include "transport/ucx/process.h"

namespace ferry {

struct UcxAddress {
  std::string worker = {};  // UCX's own address; no two channels have the same
  uint64_t base = 0;        // where the KV memory is in that process
  uint64_t bytes = 0;       // how long it is
  Process process = {};

  template <class A>
  void fields(A& a) {
    a(worker, base, bytes, process);
  }
  bool operator==(const UcxAddress&) const = default;
};

std::string packed(const UcxAddress& address);

// Stands in every message, so that one for a channel that is gone is not taken for another's: UCX may find who came to
// live at the same address.
uint64_t tag_of(const UcxAddress& address);

// UCX trusts the addresses that it is given, so only bytes that `packed` made pass: anything else is an Error.
UcxAddress ucx_address_of(const std::string& bytes);

}  // namespace ferry
