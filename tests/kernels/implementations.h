#pragma once
// Every implementation of Ops that this CPU can run: the contract suites run over all of them.

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/cpu/reference_ops.h"

namespace ferry {

struct Implementation {
  std::string name;
  std::function<std::unique_ptr<Ops>()> make;
  std::string missing;  // why this machine cannot run it; empty where it can
};

inline std::ostream& operator<<(std::ostream& out, const Implementation& i) { return out << i.name; }

inline std::vector<Implementation> implementations() { return {{"reference", make_reference_ops, ""}}; }

}  // namespace ferry
