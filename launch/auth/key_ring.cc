#include "launch/auth/key_ring.h"

#include <spdlog/spdlog.h>

#include "core/base/error.h"
#include "launch/auth/key_file.h"

namespace ferry {

KeyRing::KeyRing(std::filesystem::path file) : file_(std::move(file)), seen_(FileStamp::of(file_)) { load(); }

std::optional<ApiKey> KeyRing::find(std::string_view shown) {
  refresh();
  const auto found = by_salt_.find(std::string(salt_of(shown)));
  if (found == by_salt_.end() || !is_key(shown, found->second)) return std::nullopt;
  return found->second;
}

void KeyRing::load() {
  std::unordered_map<std::string, ApiKey> fresh;
  for (ApiKey& key : load_keys(file_)) {
    std::string salt = key.salt;
    fresh.emplace(std::move(salt), std::move(key));
  }
  by_salt_ = std::move(fresh);
}

void KeyRing::refresh() {
  const FileStamp now = FileStamp::of(file_);
  if (now == seen_) return;
  seen_ = now;  // taken before it is read: what changes meanwhile is read again
  try {
    load();
    spdlog::info("router.keys: {} keys", by_salt_.size());
  } catch (const Error& e) {
    spdlog::error("router.keys: {}. The {} keys of before stay in force until this is mended", e.what(),
                  by_salt_.size());
  }
}

}  // namespace ferry
