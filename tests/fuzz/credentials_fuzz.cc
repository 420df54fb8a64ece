// Any header Authorization that a client may send, and any file of keys: nobody is let in who does not know the secret,
// and what is read as a key is written as it was read.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/base/error.h"
#include "launch/auth/credentials.h"
#include "launch/auth/key_file.h"

namespace ferry {
namespace {

void show(const std::string& header) {
  static const NewKey key = make_key("alice");
  const std::string shown = key_in(header);
  check(!is_key(shown, key.kept), "a key is not guessed");
  check(salt_of(shown).size() == 0 || salt_of(shown).size() == key.kept.salt.size(), "a salt has one length");
}

void read(const std::string& text) {
  try {
    for (const ApiKey& key : parse_keys(text, "keys")) {
      const std::string line = line_of(key);
      check(line_of(parse_keys(line, "keys").at(0)) == line, "a key is read as it is written");
    }
  } catch (const Error& e) {
    check(std::string_view(e.what()).starts_with("keys:"), "an error has its place");
  }
}

}  // namespace
}  // namespace ferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  ferry::show(text);
  ferry::read(text);
  return 0;
}
