#pragma once
// Certificates made up for a test, by the openssl program.

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "core/base/error.h"
#include "tests/support/scratch_folder.h"
#include "transport/control/control_security.h"

namespace ferry {

constexpr auto kWhyNoCertificates = "no openssl program to make certificates with";
inline bool certificates_can_be_made() { return std::system("openssl version >/dev/null 2>&1") == 0; }

// Who signs: each has a key of its own, and all have one name, as when a cluster's authority is renewed.
class Authority {
 public:
  Authority() { make("ca", "-subj /CN=authority"); }

  // For an end at 127.0.0.1.
  ControlTls issue() const {
    make("end", "-subj /CN=end -addext subjectAltName=IP:127.0.0.1 -CA ca.pem -CAkey ca.key");
    return {.certificate = text("end.pem"), .key = text("end.key"), .ca = text("ca.pem")};
  }

 private:
  void make(const std::string& name, const std::string& more) const {
    const std::string command =
        str("cd ", folder_.path().string(), " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 ",
            "-nodes -days 2 -keyout ", name, ".key -out ", name, ".pem ", more, " 2>openssl.log");
    if (std::system(command.c_str()) != 0) throw Error(str("`", command, "` failed: ", text("openssl.log")));
  }
  std::string text(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(folder_.path() / name).rdbuf();
    return out.str();
  }

  const ScratchFolder folder_;
};

}  // namespace ferry
