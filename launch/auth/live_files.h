#pragma once
// What is made of certificates and keys in files: made again when one of them changes, as those who renew certificates
// expect.

#include <spdlog/spdlog.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "launch/auth/file_stamp.h"

namespace ferry {

template <class Made>
class LiveFiles {
 public:
  // `name`: of the YAML, for the log. `make` reads `files`, and throws an Error when one cannot be used; so does this.
  LiveFiles(std::string name, std::vector<std::filesystem::path> files, std::function<Made()> make)
      : name_(std::move(name)), files_(std::move(files)), make_(std::move(make)), seen_(stamps()), made_(make_()) {}

  // For a new connection: looks whether the files have changed first (a `stat` each). When they have become unusable,
  // what was made before stays, and the log says why, once for each change.
  Made& for_new_connection() {
    Stamps now = stamps();
    if (now == seen_) return made_;
    seen_ = std::move(now);  // taken before they are read: what changes meanwhile is read again
    try {
      made_ = make_();
      spdlog::info("{}: new connections get the new certificate", name_);
    } catch (const Error& e) {
      spdlog::error("{}: {}. New connections get the certificate of before until this is mended", name_, e.what());
    }
    return made_;
  }

 private:
  using Stamps = std::vector<FileStamp>;
  Stamps stamps() const {
    Stamps stamps;
    for (const auto& file : files_) stamps.push_back(FileStamp::of(file));
    return stamps;
  }

  std::string name_;
  std::vector<std::filesystem::path> files_;
  std::function<Made()> make_;
  Stamps seen_;
  Made made_;
};

}  // namespace ferry
