#include "launch/auth/guarded_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <system_error>

#include "core/base/error.h"

namespace ferry {

namespace {

constexpr size_t kLeastTokenBytes = 16;

[[noreturn]] void fail(const std::filesystem::path& file, std::string_view what) {
  throw Error(fmt::format("cannot {} {}: {}", what, file.string(), std::generic_category().message(errno)));
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& file, int flags, mode_t mode = 0)
      : fd_(open(file.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return fd_; }  // NOLINT(google-explicit-constructor): system calls take it

 private:
  const int fd_;
};

std::string all_of(int fd, const std::filesystem::path& file, size_t most) {
  std::string text(most + 1, '\0');
  size_t n_bytes = 0;
  for (ssize_t n = 1; n > 0 && n_bytes < text.size(); n_bytes += static_cast<size_t>(n)) {
    n = read(fd, text.data() + n_bytes, text.size() - n_bytes);
    if (n < 0) fail(file, "read");
  }
  if (n_bytes > most) throw Error(fmt::format("{} is larger than {} bytes", file.string(), most));
  text.resize(n_bytes);
  return text;
}

std::string trimmed(const std::string& text) {
  constexpr const char* kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

// The new file is on the disk before it takes the old one's place.
void write_new(const std::filesystem::path& file, const std::string& text, mode_t mode) {
  const Descriptor out(file, O_WRONLY | O_CREAT | O_TRUNC, S_IRUSR | S_IWUSR);
  if (out < 0) fail(file, "write");
  const bool written =
      fchmod(out, mode) == 0 && write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written || fsync(out) != 0) fail(file, "write");
}

}  // namespace

std::string read_guarded(const std::filesystem::path& file, const Guard& guard) {
  const Descriptor in(file, O_RDONLY);
  struct stat facts {};
  if (in < 0 || fstat(in, &facts) != 0) fail(file, "read");
  if (!S_ISREG(facts.st_mode)) throw Error(fmt::format("{} is no file", file.string()));
  if (facts.st_mode & guard.forbidden_mode) {
    const bool readable = guard.forbidden_mode & S_IROTH;
    throw Error(fmt::format("{}: others than its owner can {} it (mode {:04o}). Type: chmod {} {}", file.string(),
                            readable ? "touch" : "write", facts.st_mode & 07777u, readable ? "600" : "go-w",
                            file.string()));
  }
  return all_of(in, file, guard.most_bytes);
}

std::string read_secret(const std::filesystem::path& file) {
  std::string secret = trimmed(read_guarded(file, {}));
  const bool is_word = !secret.empty() && std::ranges::all_of(secret, [](char c) { return c >= '!' && c <= '~'; });
  if (!is_word) throw Error(file.string() + ": a secret is one word of ASCII characters");
  return secret;
}

std::string read_token(const std::filesystem::path& file) {
  std::string token = read_secret(file);
  if (token.size() < kLeastTokenBytes) {
    throw Error(
        fmt::format("{}: a secret of less than {} characters can be guessed. Type: (umask 077; openssl rand "
                    "-hex 32 > {})",
                    file.string(), kLeastTokenBytes, file.string()));
  }
  return token;
}

void rewrite_guarded(const std::filesystem::path& file,
                     const std::function<std::string(const std::string& text)>& change) {
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  const Descriptor lock(folder, O_RDONLY | O_DIRECTORY);  // the folder's: the file is another one afterwards
  if (lock < 0 || flock(lock, LOCK_EX) != 0) fail(folder, "lock");
  std::string text;
  mode_t mode = S_IRUSR | S_IWUSR;
  struct stat facts {};
  if (stat(file.c_str(), &facts) == 0) {
    mode = facts.st_mode & 07777u;
    text = read_guarded(file, {.most_bytes = size_t{16} << 20, .forbidden_mode = kOthersWrite});
  } else if (errno != ENOENT) {
    fail(file, "read");
  }
  const std::filesystem::path fresh = file.string() + ".new";
  write_new(fresh, change(text), mode);
  if (rename(fresh.c_str(), file.c_str()) != 0) fail(file, "replace");
}

}  // namespace ferry
