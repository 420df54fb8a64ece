#pragma once
// Files whose worth depends on who can read or write them.

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

namespace ferry {

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
constexpr mode_t kOthersTouch = S_IRWXG | S_IRWXO;

struct Guard {
  size_t most_bytes = 1 << 16;
  mode_t forbidden_mode = kOthersTouch;  // bits that the file must not have
};

// Error when it cannot be read, is too large, or its mode is not safe; the message says what to type.
std::string read_guarded(const std::filesystem::path& file, const Guard& guard);

// A secret of one word: what stands in a file that its owner alone can read, without the white space around it.
std::string read_secret(const std::filesystem::path& file);
// One that two ends share, made up by somebody: it must not be short.
std::string read_token(const std::filesystem::path& file);

// Replaces the file (or makes it, for its owner alone) in one go by what `change` makes of its text. Whoever else does
// so in this folder waits.
void rewrite_guarded(const std::filesystem::path& file,
                     const std::function<std::string(const std::string& text)>& change);

}  // namespace ferry
