#pragma once
// Every implementation of Ops that this machine can run: the contract suites run over all of them. Each program that is
// made of the suites says which (implementations.cc).

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/seam/ops.h"

namespace ferry {

struct Implementation {
  std::string name;
  std::function<std::unique_ptr<Ops>()> make;
  std::string missing;              // why this machine cannot run it; empty where it can
  double product_tolerance = 1e-6;  // of Ops::matmul, times the sum of its absolute products
  int most_rows_alike = 1 << 20;    // of a product: with more, a row's results may have other roundings
  bool rounds_attention = false;    // queries and weights, to the type of a 16-bit cache
};

inline std::ostream& operator<<(std::ostream& out, const Implementation& i) { return out << i.name; }

std::vector<Implementation> implementations();

}  // namespace ferry
