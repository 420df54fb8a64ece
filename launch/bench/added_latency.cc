#include "launch/bench/added_latency.h"

namespace ferry {

std::vector<double> added_ms(const std::vector<StreamRecord>& records, uint64_t first_name,
                             const StubEngine::Said& said) {
  std::vector<double> all;
  for (size_t i = 0; i < records.size(); ++i) {
    const auto found = said.find(first_name + i);
    if (found == said.end()) continue;
    size_t token = 0;
    for (const StreamRecord::Piece& piece : records[i].pieces) {
      for (int byte = 0; byte < piece.n_bytes && token < found->second.size(); ++byte)
        all.push_back(ms_between(found->second[token++], piece.at));
    }
  }
  return all;
}

}  // namespace ferry
