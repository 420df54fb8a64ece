#pragma once
// Named places in the life of a handoff, for tests that stop or kill a process exactly there.

#include <functional>
#include <string>
#include <string_view>

namespace ferry {

// Called with the name of each place as it is reached. Empty where nobody tests.
class Milestones {
 public:
  Milestones() = default;
  explicit Milestones(std::function<void(std::string_view)> reached) : reached_(std::move(reached)) {}
  void reach(std::string_view name) const {
    if (reached_) reached_(name);
  }

 private:
  std::function<void(std::string_view)> reached_;
};

}  // namespace ferry
