#pragma once
// Compares what somebody claims to know with what is to be known, in a time that says nothing about where they differ.

#include <cstddef>
#include <string_view>

namespace ferry {

inline bool same_secret(std::string_view claimed, std::string_view secret) {
  if (claimed.size() != secret.size()) return false;  // lengths are no secret
  volatile unsigned char difference = 0;              // volatile: no early end is made of the loop
  for (size_t i = 0; i < secret.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (claimed[i] ^ secret[i]));
  }
  return difference == 0;
}

}  // namespace ferry
