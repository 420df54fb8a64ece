#pragma once
// What a client noted of one request.

#include <string>
#include <vector>

#include "core/seam/clock.h"

namespace ferry {

struct StreamRecord {
  struct Piece {
    Instant at;
    int n_bytes = 0;  // of text
  };
  Instant due;    // when it should be sent: latencies count from here, however late it really was
  Instant begun;  // when it was
  std::vector<Piece> pieces;
  Instant ended;
  int status = 0;     // of HTTP; 0: none came
  std::string error;  // empty: all came, to [DONE]
  int n_tokens = 0;   // as the server counts them
};

}  // namespace ferry
