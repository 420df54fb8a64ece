#include "launch/serve/page.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "core/base/check.h"

namespace ferry {

namespace {

std::string_view script_of(std::string_view html) {
  constexpr std::string_view kBegin = "<script>", kEnd = "</script>";
  const size_t begin = html.find(kBegin), end = html.find(kEnd);
  check(begin < end && end != html.npos, "a page with a script");
  return html.substr(begin + kBegin.size(), end - begin - kBegin.size());
}

std::string sha256_base64(std::string_view text) {
  std::array<unsigned char, 32> digest;
  std::array<unsigned char, 45> base64;  // 4 characters for 3 bytes, and the end
  check(EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1, "SHA-256");
  const int n = EVP_EncodeBlock(base64.data(), digest.data(), digest.size());
  return {base64.begin(), base64.begin() + n};
}

}  // namespace

std::string page_policy() {
  return fmt::format(
      "default-src 'none'; script-src 'sha256-{}'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      sha256_base64(script_of(page_html())));
}

}  // namespace ferry
