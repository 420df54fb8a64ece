#include "launch/auth/key_ring.h"

#include <spdlog/spdlog.h>

#include <tuple>

#include "core/base/error.h"
#include "launch/auth/key_file.h"

namespace ferry {

bool KeyRing::Stamp::operator==(const Stamp& other) const {
  const auto parts = [](const Stamp& s) {
    return std::tuple(s.device, s.inode, s.size, s.modified.tv_sec, s.modified.tv_nsec, s.changed.tv_sec,
                      s.changed.tv_nsec);
  };
  return parts(*this) == parts(other);
}

KeyRing::KeyRing(std::filesystem::path file) : file_(std::move(file)), seen_(stamp()) { load(); }

std::optional<ApiKey> KeyRing::find(std::string_view shown) {
  refresh();
  const auto found = by_salt_.find(std::string(salt_of(shown)));
  if (found == by_salt_.end() || !is_key(shown, found->second)) return std::nullopt;
  return found->second;
}

KeyRing::Stamp KeyRing::stamp() const {
  struct stat facts {};
  if (stat(file_.c_str(), &facts) != 0) return {};
  return {.device = facts.st_dev,
          .inode = facts.st_ino,
          .size = facts.st_size,
          .modified = facts.st_mtim,
          .changed = facts.st_ctim};
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
  const Stamp now = stamp();
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
