#pragma once
// Who comes in, and how much of the router each key can have at a time. On the thread of serving.

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "launch/api/api_error.h"
#include "launch/auth/key_ring.h"
#include "launch/config/cluster_config.h"

namespace ferry {

// Who asks, as far as a request has to know.
struct Caller {
  std::string key;  // its name; empty: nobody needs one here
  double weight = 1;
  int max_streams = std::numeric_limits<int>::max();
  int max_queued = std::numeric_limits<int>::max();
  bool admin = false;  // by its key

  // Records of requests tell what others do: a key sees its own, an admin's all, and everybody does where none is
  // needed.
  bool may_see(std::string_view requests_key) const { return admin || key.empty() || key == requests_key; }
};

// Where a request comes from, as far as is known.
enum class Origin : uint8_t { this_host, elsewhere };

class Gate {
 private:
  struct Use {  // by one key, now
    int streams = 0, queued = 0;
  };

 public:
  // Error when the file of keys is not as it has to be. `config` outlives the gate.
  explicit Gate(const RouterConfig& config);

  // Whose request this is, by its header Authorization; or 401.
  std::variant<Caller, ApiError> identify(std::string_view authorization);

  // 403 to who may not operate the cluster. With a file of keys, those may that it says so of; without, whoever is on
  // this host.
  std::optional<ApiError> objection_to_admin(const Caller& caller, Origin origin);

  // What the choices of one request take up, until it is destroyed.
  class Place {
   public:
    Place(Use& use, int n_choices);
    ~Place();
    Place(Place&& other) noexcept;
    Place& operator=(Place&&) = delete;
    void one_began();  // its first token came, or its end: it waits no longer

   private:
    Use* use_;
    int n_streams_, n_queued_;
  };
  // 429 when the key has as many as it may have.
  std::variant<Place, ApiError> admit(const Caller& caller, int n_choices);

  std::string metrics_text() const;

 private:
  enum class Refusal { no_key, wrong_key, streams, queued, not_admin };
  static constexpr int kRefusals = 5;
  ApiError refused(Refusal why, ApiError error);

  const RouterConfig& config_;
  std::optional<KeyRing> keys_;
  std::map<std::string, Use> uses_;  // by name of the key
  uint64_t n_refused_[kRefusals] = {};
};

}  // namespace ferry
