#pragma once
// The world is not as needed: a message for the person who can change that. Thrown where it is detected, caught in
// main.

#include <sstream>
#include <stdexcept>
#include <string>

namespace ferry {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Concatenates anything that can be printed: str("cannot open ", path, ": ", why).
template <class... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace ferry
