#pragma once
// Asks a router about its cluster, again and again, on a thread of its own: whoever shows the answers has other things
// to do than to wait for them.

#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <thread>

#include "launch/serve/http_client.h"

namespace ferry {

class ClusterWatch {
 public:
  explicit ClusterWatch(const RouterAddress& router);

  struct Look {
    nlohmann::json cluster;  // as /debug/cluster answers; null: not known
    std::string why_not;     // that it is not
  };
  Look latest() const;

 private:
  void run(const std::stop_token& stop);

  const HttpClient client_;
  mutable std::mutex mutex_;
  Look latest_;
  std::jthread thread_;
};

}  // namespace ferry
