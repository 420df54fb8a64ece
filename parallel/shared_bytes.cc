#include "parallel/shared_bytes.h"

#include "core/base/codec.h"
#include "core/base/error.h"

namespace ferry {

namespace {

struct Parts {
  std::vector<std::string> parts;

  template <class A>
  void fields(A& a) {
    a(parts);
  }
};

}  // namespace

std::vector<std::string> shared_bytes(Communicator& group, const std::string& mine) {
  std::string bytes = pack(Parts{group.gather_bytes(mine)});
  group.broadcast(bytes, [] {});
  auto all = unpack<Parts>(bytes);
  if (!all || static_cast<int>(all->parts.size()) != group.size()) throw Error("rank 0 broadcasts what no rank said");
  return std::move(all->parts);
}

std::string shared_reason(Communicator& group, const std::string& mine) {
  const std::vector<std::string> all = shared_bytes(group, mine);
  for (size_t rank = 0; rank < all.size(); ++rank) {
    if (!all[rank].empty()) return all.size() == 1 ? all[rank] : str("rank ", rank, ": ", all[rank]);
  }
  return "";
}

}  // namespace ferry
