#include "core/handoff/fit.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/plain_text.h"

namespace ferry {

namespace {

// More of anything is a lie, or a mistake that would cost its reader the memory.
constexpr int kMost = 1 << 24;

// It becomes a part of logs and of labels in the metrics.
bool sound(const std::string& name) { return !name.empty() && name.size() <= 255 && is_plain(name); }

bool sound(Range range) { return 0 <= range.begin && range.begin < range.end && range.end <= kMost; }

bool sound(const KvLayout& layout) {
  const auto in = [](int n) { return 0 < n && n <= kMost; };
  return sound(layout.shard().layers) && sound(layout.shard().heads) && in(layout.page_tokens()) &&
         in(layout.head_dim()) && in(layout.n_pages());
}

Range hull(const wire::GroupInfo& group, Range Shard::*side) {
  Range all = group.layouts[0].shard().*side;
  for (const KvLayout& layout : group.layouts) {
    const Range part = layout.shard().*side;
    all = {std::min(all.begin, part.begin), std::max(all.end, part.end)};
  }
  return all;
}

std::string text_of(Range range) { return str(range.begin, "…", range.end - 1); }

}  // namespace

std::optional<std::string> nonsense_in(const wire::GroupInfo& group) {
  if (!sound(group.key.name)) return "a group has a name, of letters, digits, '.', '_' and '-'";
  if (group.layouts.empty() || group.layouts.size() > 1024) return "a group has from 1 to 1024 ranks";
  for (const KvLayout& layout : group.layouts) {
    const KvLayout& first = group.layouts[0];
    if (!sound(layout)) return "a rank holds some layers and heads, in pages of some tokens";
    if (layout.page_tokens() != first.page_tokens() || layout.head_dim() != first.head_dim() ||
        layout.dtype() != first.dtype() || layout.n_pages() != first.n_pages())
      return "all ranks of a group have pages of one kind, and as many of them";
  }
  if (group.max_context < 1 || group.max_sequences < 1) return "a group serves some sequences of some tokens";
  return std::nullopt;
}

std::optional<std::string> misfit(const wire::GroupInfo& prefill, const wire::GroupInfo& decode) {
  const auto differ = [&](const std::string& field, const auto& a, const auto& b) -> std::optional<std::string> {
    return str(field, " is ", a, " in ", prefill.key.name, " and ", b, " in ", decode.key.name);
  };
  const KvLayout &a = prefill.layouts[0], &b = decode.layouts[0];
  if (prefill.model_hash != decode.model_hash) return differ("model_hash", prefill.model_hash, decode.model_hash);
  if (a.page_tokens() != b.page_tokens()) return differ("kv.page_tokens", a.page_tokens(), b.page_tokens());
  if (a.dtype() != b.dtype()) return differ("kv.dtype", name_of(a.dtype()), name_of(b.dtype()));
  if (a.head_dim() != b.head_dim()) return differ("head_dim", a.head_dim(), b.head_dim());
  for (const auto& [side, field] : {std::pair{&Shard::layers, "layers"}, std::pair{&Shard::heads, "KV heads"}}) {
    const Range from = hull(prefill, side), to = hull(decode, side);
    if (!(from == to)) return differ(field, text_of(from), text_of(to));
  }
  return std::nullopt;
}

}  // namespace ferry
