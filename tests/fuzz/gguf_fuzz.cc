// Any bytes are a model that can be used in full, or an Error of one line that begins with the file's name.

#include <string_view>

#include "core/base/check.h"
#include "core/base/error.h"
#include "tests/support/gguf_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    ferry::exercise(ferry::GgufFile("input", std::as_bytes(std::span(data, size))));
  } catch (const ferry::Error& error) {
    const std::string_view message = error.what();
    ferry::check(message.starts_with("input: ") && message.find('\n') == message.npos, "one line that names the file");
  }
  return 0;
}
