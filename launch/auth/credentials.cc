#include "launch/auth/credentials.h"

#include <openssl/evp.h>

#include <algorithm>

namespace ferry {

namespace {

constexpr size_t kLongest = 1024;  // of a header that may hold a key

bool takes_scheme(std::string_view& text, std::string_view scheme) {
  const auto same = [](char lower, char any) { return lower == (any | 0x20); };
  const bool fits = text.size() > scheme.size() && text[scheme.size()] == ' ' &&
                    std::equal(scheme.begin(), scheme.end(), text.begin(), same);
  if (!fits) return false;
  text.remove_prefix(scheme.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return true;
}

// Empty: this is no Base64.
std::string decoded(std::string_view base64) {
  if (base64.size() % 4 != 0) return {};
  std::string bytes(base64.size() / 4 * 3, '\0');
  const int n = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                reinterpret_cast<const unsigned char*>(base64.data()), static_cast<int>(base64.size()));
  if (n < 0) return {};
  const auto padding = static_cast<size_t>(std::count(base64.begin(), base64.end(), '='));
  bytes.resize(static_cast<size_t>(n) - std::min(static_cast<size_t>(n), padding));
  return bytes;
}

}  // namespace

std::string key_in(std::string_view authorization) {
  if (authorization.size() > kLongest) return {};
  if (takes_scheme(authorization, "bearer")) return std::string(authorization);
  if (!takes_scheme(authorization, "basic")) return {};
  const std::string pair = decoded(authorization);
  const size_t colon = pair.find(':');
  return colon == std::string::npos ? std::string() : pair.substr(colon + 1);
}

}  // namespace ferry
