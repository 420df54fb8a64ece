#include "launch/auth/api_key.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/same_secret.h"

namespace ferry {

namespace {

constexpr std::string_view kPrefix = "ferry-";
constexpr size_t kSaltBytes = 8, kSecretBytes = 32;
constexpr size_t kSecretAt = kPrefix.size() + 2 * kSaltBytes + 1;
constexpr size_t kKeyLength = kSecretAt + 2 * kSecretBytes;

template <size_t n>
std::string hex(const std::array<unsigned char, n>& bytes) {
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

template <size_t n>
std::string random_hex() {
  std::array<unsigned char, n> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(n)) != 1) throw Error("the system has no random numbers to give");
  return hex(bytes);
}

std::string sha256(std::string_view text) {
  std::array<unsigned char, 32> digest;
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw Error("this machine's OpenSSL has no SHA-256");
  return hex(digest);
}

}  // namespace

NewKey make_key(const std::string& name) {
  const std::string salt = random_hex<kSaltBytes>(), secret = random_hex<kSecretBytes>();
  return {.kept = {.name = name, .salt = salt, .hash = sha256(salt + secret)},
          .shown = fmt::format("{}{}-{}", kPrefix, salt, secret)};
}

std::string random_token() { return random_hex<kSecretBytes>(); }

std::string_view salt_of(std::string_view shown) {
  const bool fits = shown.size() == kKeyLength && shown.starts_with(kPrefix) && shown[kSecretAt - 1] == '-';
  return fits ? shown.substr(kPrefix.size(), 2 * kSaltBytes) : std::string_view();
}

bool is_key(std::string_view shown, const ApiKey& kept) {
  const std::string_view salt = salt_of(shown);
  return salt == kept.salt && same_secret(sha256(str(salt, shown.substr(kSecretAt))), kept.hash);
}

}  // namespace ferry
