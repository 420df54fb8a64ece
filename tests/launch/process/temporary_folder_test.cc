#include "launch/process/temporary_folder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>

namespace ferry {
namespace {

namespace fs = std::filesystem;

// Of this process alone: the tests of others run beside it.
std::string own_name() { return "ferry-test-folder-" + std::to_string(getpid()); }

TEST(TemporaryFolder, IsThereAsLongAsItsObject) {
  fs::path path;
  {
    const TemporaryFolder folder(own_name());
    path = folder.path();
    std::ofstream(path / "inside") << "something";
    EXPECT_TRUE(fs::exists(path / "inside"));
    EXPECT_EQ(path.filename().string().find(own_name() + "."), 0u);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TemporaryFolder, OfAProcessThatWasKilledGoesWhenTheNextIsMade) {
  const std::string name = own_name();
  int told[2];
  ASSERT_EQ(pipe(told), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const TemporaryFolder folder(name);
    std::ofstream(folder.path() / "inside") << "something";
    const std::string path = folder.path().string();
    if (write(told[1], path.data(), path.size()) < 0) _exit(1);
    for (;;) pause();
  }
  close(told[1]);
  std::string left(4096, '\0');
  const ssize_t n = read(told[0], left.data(), left.size());
  close(told[0]);
  ASSERT_GT(n, 0);
  left.resize(static_cast<size_t>(n));

  std::optional<TemporaryFolder> beside(name);
  EXPECT_TRUE(fs::exists(left + "/inside")) << "its process lives";
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  const TemporaryFolder next(name);
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(beside->path())) << "of the same process, and held";
}

TEST(TemporaryFolder, WhatOnlyLooksLikeOneStays) {
  const fs::path file = fs::temp_directory_path() / (own_name() + ".file");
  std::ofstream(file) << "something";
  const fs::path link = fs::temp_directory_path() / (own_name() + ".link");
  const TemporaryFolder target("another-" + own_name());
  fs::create_directory_symlink(target.path(), link);
  const TemporaryFolder folder(own_name());
  EXPECT_TRUE(fs::exists(file));
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_TRUE(fs::exists(target.path()));
  fs::remove(file);
  fs::remove(link);
}

}  // namespace
}  // namespace ferry
