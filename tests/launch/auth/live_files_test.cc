#include "launch/auth/live_files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "launch/auth/tls.h"
#include "tests/support/certificates.h"
#include "tests/support/failure_of.h"

namespace ferry {
namespace {

using testing::HasSubstr;

class ControlFiles : public testing::Test {
 protected:
  void SetUp() override {
    if (!certificates_can_be_made()) GTEST_SKIP() << kWhyNoCertificates;
    authority_.emplace();
    write(authority_->issue());
  }

  void write(const ControlTls& tls) const {
    write(files_.certificate, tls.certificate);
    write(files_.key, tls.key);
    write(files_.ca, tls.ca);
  }
  // As a file of its own, which takes the other's place.
  void write(const std::filesystem::path& file, const std::string& text, mode_t mode = 0600) const {
    const std::filesystem::path fresh = file.string() + ".new";
    std::ofstream(fresh) << text;
    chmod(fresh.c_str(), mode);
    std::filesystem::rename(fresh, file);
  }

  LiveFiles<ControlTls> live() const {
    return {
        "router.control_tls", {files_.certificate, files_.key, files_.ca}, [this] { return tls_for_leaders(files_); }};
  }
  std::string failure() const {
    return failure_of([this] { tls_for_leaders(files_); });
  }

  const ScratchFolder scratch_;
  const ControlTlsConfig files_ = {
      .certificate = scratch_.path() / "pem", .key = scratch_.path() / "key", .ca = scratch_.path() / "ca"};
  std::optional<Authority> authority_;
};

TEST_F(ControlFiles, AreReadAgainWhenTheyChangeAndABrokenOneKeepsWhatWasThere) {
  LiveFiles<ControlTls> files = live();
  const ControlTls first = files.for_new_connection(), second = Authority().issue();
  EXPECT_EQ(first, tls_for_leaders(files_));
  write(second);
  EXPECT_EQ(files.for_new_connection(), second);
  write(files_.ca, "none\n");
  EXPECT_EQ(files.for_new_connection(), second);
  std::filesystem::remove(files_.key);
  EXPECT_EQ(files.for_new_connection(), second);
  write(first);
  EXPECT_EQ(files.for_new_connection(), first);
}

TEST_F(ControlFiles, AreHeldToTheSameWhenTheyAreReadAgainAsAtFirst) {
  LiveFiles<ControlTls> files = live();
  const ControlTls first = files.for_new_connection(), second = Authority().issue();
  write(second);
  write(files_.key, second.key, 0604);
  EXPECT_EQ(files.for_new_connection(), first);
  write(files_.key, second.key, 0600);
  write(files_.certificate, second.certificate, 0666);
  EXPECT_EQ(files.for_new_connection(), first);
  write(files_.certificate, second.certificate, 0644);
  EXPECT_EQ(files.for_new_connection(), second);
}

TEST_F(ControlFiles, ThatCannotBeUsedAreNamed) {
  const ControlTls good = authority_->issue(), other = authority_->issue();
  const std::string ca = files_.ca.string(), key = files_.key.string(), certificate = files_.certificate.string();
  EXPECT_EQ(failure(), "");
  write({good.certificate, other.key, good.ca});
  EXPECT_THAT(failure(), HasSubstr(key));
  write({good.key, good.key, good.ca});
  EXPECT_THAT(failure(), HasSubstr(certificate + " is no certificate"));
  write({good.certificate, good.key, ""});
  EXPECT_THAT(failure(), HasSubstr(ca + " is no list of certificates"));
  write({good.certificate, good.key, good.ca + other.ca});
  EXPECT_EQ(failure(), "");
  write({good.certificate, good.key, good.ca + other.ca.substr(0, other.ca.size() / 2)});
  EXPECT_THAT(failure(), HasSubstr(ca + " is no list of certificates"));
}

}  // namespace
}  // namespace ferry
