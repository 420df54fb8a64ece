#pragma once
// What a client shows to be let in, and what the router keeps of it.
//
// A key is "ferry-SALT-SECRET": 16 and 64 hexadecimal digits from the system's random generator. The salt names the
// line of the file, so a lookup is one hash however many keys there are. The file holds the salt and
// SHA-256(salt ‖ secret). A slow hash would protect nothing here: it is for passwords, which can be guessed; 256 random
// bits cannot, and it would cost every request (the good and the forged) tens of milliseconds of the router's thread.

#include <optional>
#include <string>
#include <string_view>

namespace ferry {

struct ApiKey {
  std::string name;  // for people: in logs and records
  std::string salt;  // 16 hexadecimal digits
  std::string hash;  // 64
  double weight = 1;
  std::optional<int> max_streams, max_queued;  // nullopt: what router.limits says
  bool admin = false;                          // may operate the cluster: drain groups

  bool operator==(const ApiKey&) const = default;
};

struct NewKey {
  ApiKey kept;
  std::string shown;  // to its owner, once
};
NewKey make_key(const std::string& name);

std::string random_token();  // 64 hexadecimal digits, for two ends that share a secret

// The salt within a key; empty: it has not the form of one.
std::string_view salt_of(std::string_view shown);
bool is_key(std::string_view shown, const ApiKey& kept);

}  // namespace ferry
