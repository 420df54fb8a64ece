#pragma once
// UCX's own benchmark, where it is installed: the bar for what we make of UCX.

#include <cstddef>
#include <optional>
#include <string>

namespace ferry {

class UcxPerftest {
 public:
  explicit UcxPerftest(std::string transports);  // as UCX_TLS names them; everything else as UCX comes

  static bool is_installed();

  // Bytes a second of `n` puts of one piece, between two processes of this host. nullopt when it does not work.
  std::optional<double> bytes_per_second(size_t piece_bytes, int n) const;

 private:
  std::string transports_;
};

}  // namespace ferry
