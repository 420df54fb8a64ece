#pragma once
// A card that this process has for itself, as far as other processes of Ferry on this host ask. It ends with the
// process, however that ends.

#include <string>

namespace ferry {

class CardLock {
 public:
  // `card` is the same for all who mean that card. Error that names the process that has it.
  explicit CardLock(const std::string& card);
  ~CardLock();
  CardLock(const CardLock&) = delete;
  CardLock& operator=(const CardLock&) = delete;

 private:
  const int socket_;
};

}  // namespace ferry
