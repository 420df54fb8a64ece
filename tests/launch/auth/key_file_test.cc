#include "launch/auth/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "core/base/error.h"
#include "launch/auth/guarded_file.h"
#include "launch/auth/key_ring.h"
#include "tests/support/scratch_folder.h"

namespace ferry {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

const std::string kSalt = "0123456789abcdef", kHash(64, 'a');
const std::string kAlice = "alice sha256:" + kSalt + ":" + kHash;

class Keys : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text, mode_t mode = 0600) {
    std::ofstream(file_) << text;
    chmod(file_.c_str(), mode);
    return file_;
  }
  std::string text() const {
    std::ostringstream out;
    out << std::ifstream(file_).rdbuf();
    return out.str();
  }
  std::string new_key(const std::string& name) {
    const NewKey key = make_key(name);
    add_key(file_, key.kept);
    return key.shown;
  }

  const ScratchFolder scratch_;
  const std::filesystem::path folder_ = scratch_.path(), file_ = folder_ / "keys";
};

TEST(ApiKey, IsKnownByItsHashAndNoOtherIs) {
  const NewKey a = make_key("a"), b = make_key("b");
  EXPECT_TRUE(is_key(a.shown, a.kept));
  EXPECT_FALSE(is_key(b.shown, a.kept));
  EXPECT_FALSE(is_key("", a.kept));
  for (size_t i = 0; i < a.shown.size(); ++i) {
    std::string other = a.shown;
    other[i] = other[i] == '0' ? '1' : '0';
    EXPECT_FALSE(is_key(other, a.kept)) << "at " << i;
    EXPECT_FALSE(is_key(a.shown.substr(0, i), a.kept)) << i << " characters";
  }
  EXPECT_FALSE(is_key(a.shown + "0", a.kept));
  EXPECT_EQ(line_of(a.kept).find(a.shown.substr(a.shown.size() - 64)), std::string::npos) << "the secret is not kept";
}

TEST_F(Keys, ALineIsReadAsItIsWritten) {
  const ApiKey key = {
      .name = "alice", .salt = kSalt, .hash = kHash, .weight = 2.5, .max_streams = 8, .max_queued = 16, .admin = true};
  EXPECT_EQ(parse_keys(line_of(key), "keys"), std::vector<ApiKey>{key});
  EXPECT_EQ(parse_keys("# who\n\n" + kAlice + "\r\n", "keys"),
            (std::vector<ApiKey>{{.name = "alice", .salt = kSalt, .hash = kHash}}));
  EXPECT_EQ(parse_keys("", "keys"), std::vector<ApiKey>{});
}

TEST_F(Keys, WhatIsNoLineIsRefusedWithItsPlaceAndWithoutItsSecret) {
  const auto expect = [](const std::string& text, const std::string& says) {
    EXPECT_THAT([&] { parse_keys(text, "keys"); }, ThrowsMessage<Error>(HasSubstr(says))) << text;
  };
  expect("alice", "keys:1: expected NAME sha256:SALT:HASH");
  expect("# a\nalice sha256:" + kSalt + ":" + std::string(63, 'a'), "keys:2: expected");
  expect("alice sha256:" + kSalt + ":" + std::string(64, 'A'), "keys:1: expected");
  expect("al/ice " + kAlice.substr(6), "'al/ice' is no name");
  expect(kAlice + " wieght=2", "unknown 'wieght'");
  expect(kAlice + " admin=no", "unknown 'admin'");
  expect(kAlice + " weight=0", "'0' is no number from 0.001 to 1000");
  expect(kAlice + " weight=nan", "is no number");
  expect(kAlice + " max_streams=0", "'0' is no number from 1 to");
  expect(kAlice + " max_queued", "'' is no number from 1 to");
  expect(kAlice + "\n" + kAlice, "keys:2: a second key is called alice");
  expect(kAlice + "\nbob" + kAlice.substr(5), "keys:2: bob has the salt of another key");
  const std::string pasted = make_key("bob").shown;
  try {
    parse_keys("bob " + pasted, "keys");
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::Not(HasSubstr(pasted.substr(30))));
  }
}

TEST_F(Keys, AreAddedAndRemovedWithoutTouchingTheRest) {
  new_key("alice");
  struct stat facts {};
  ASSERT_EQ(stat(file_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0600u);
  write("# ours\n" + text());
  new_key("bob");
  EXPECT_THAT([&] { new_key("alice"); }, ThrowsMessage<Error>(HasSubstr("there is a key alice already")));
  remove_key(file_, "alice");
  EXPECT_THAT(text(), testing::StartsWith("# ours\nbob sha256:"));
  EXPECT_THAT([&] { remove_key(file_, "alice"); }, ThrowsMessage<Error>(HasSubstr("no key is called 'alice'")));
  EXPECT_THAT([&] { new_key("two words"); }, ThrowsMessage<Error>(HasSubstr("expected NAME")));
  EXPECT_THAT([&] { remove_key(folder_ / "none", "a"); }, ThrowsMessage<Error>(HasSubstr("there is no file")));
}

TEST_F(Keys, AFileThatOthersCanWriteIsRefused) {
  EXPECT_THAT([&] { load_keys(write(kAlice, 0620)); }, ThrowsMessage<Error>(HasSubstr("chmod go-w")));
  EXPECT_EQ(load_keys(write(kAlice, 0644)).size(), 1u) << "hashes may be read";
  EXPECT_THAT([&] { load_keys(folder_ / "none"); }, ThrowsMessage<Error>(HasSubstr("cannot read")));
}

TEST_F(Keys, ATokenIsForItsOwnerAlone) {
  EXPECT_EQ(read_token(write("  " + std::string(32, 'x') + "\n")), std::string(32, 'x'));
  EXPECT_THAT([&] { read_token(write(std::string(32, 'x'), 0640)); }, ThrowsMessage<Error>(HasSubstr("chmod 600")));
  EXPECT_THAT([&] { read_token(write("short")); }, ThrowsMessage<Error>(HasSubstr("can be guessed")));
  EXPECT_THAT([&] { read_token(write(std::string(20, 'x') + " y")); }, ThrowsMessage<Error>(HasSubstr("one word")));
  EXPECT_THAT([&] { read_token(folder_); }, ThrowsMessage<Error>(HasSubstr("is no file")));
}

TEST_F(Keys, ARingFollowsItsFile) {
  const std::string alice = new_key("alice");
  KeyRing ring(file_);
  EXPECT_EQ(ring.find(alice)->name, "alice");
  const std::string bob = new_key("bob");
  EXPECT_EQ(ring.find(bob)->name, "bob");
  remove_key(file_, "alice");
  EXPECT_FALSE(ring.find(alice));
  EXPECT_TRUE(ring.find(bob));
  EXPECT_FALSE(ring.find("ferry-"));
}

TEST_F(Keys, ARingKeepsWhatItHasWhileItsFileIsDamaged) {
  const std::string alice = new_key("alice");
  KeyRing ring(file_);
  const std::string good = text();
  write(good + "bob is my friend\n");
  EXPECT_TRUE(ring.find(alice));
  std::filesystem::remove(file_);
  EXPECT_TRUE(ring.find(alice)) << "a file that is gone does not lock everybody out";
  write("");
  EXPECT_FALSE(ring.find(alice)) << "one that is empty does";
  write(good, 0622);
  EXPECT_FALSE(ring.find(alice)) << "whoever wrote it";
  EXPECT_THROW(KeyRing(folder_ / "none"), Error);
}

}  // namespace
}  // namespace ferry
