#include "launch/bench/model_bench.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/engine/sampler.h"
#include "launch/bench/device_waits.h"

namespace ferry {

namespace {

TpSlice own_slice(const ModelFile& file, const Communicator& group) {
  return tp_slices(file.tp_shape, group.size())[group.rank()];
}

Compute compute_with(Model& model, const KvLayout& layout, std::span<std::byte> kv) {
  return {.batch = [&model, &layout, kv](
                       const Batch& batch,
                       const LayerDone& layer_done) { return model.forward(batch, layout, kv, layer_done); },
          .logits = [&model](const std::vector<int>& rows) { return model.logits(rows); }};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Some text-like ids; what they are does not change what they cost.
std::vector<int> made_up_tokens(int n, int n_vocab) {
  std::vector<int> tokens(n);
  for (int i = 0; i < n; ++i) tokens[i] = (100 + i * 7) % n_vocab;
  return tokens;
}

int pages_for(const BenchShape& shape) { return ferry::pages_for(shape.max_tokens, shape.page_tokens); }

std::vector<KvLayout> layouts_of(const ModelFile& file, const BenchShape& shape, const Communicator& group) {
  std::vector<KvLayout> layouts;
  for (const Shard& shard : shards_of(tp_slices(file.tp_shape, group.size()), file.config.n_layers))
    layouts.emplace_back(shard, shape.page_tokens, file.config.head_dim, shape.dtype,
                         pages_for(shape) * shape.max_sequences);
  return layouts;
}

}  // namespace

ModelBench::ModelBench(const ModelFile& file, const BenchShape& shape, Ops& ops, Communicator& group)
    : file_(file),
      shape_(shape),
      group_(group),
      device_(ops.device()),
      layouts_(layouts_of(file, shape, group)),
      layout_(layouts_[static_cast<size_t>(group.rank())]),
      pages_per_sequence_(pages_for(shape)),
      kv_(ops.device(), layout_.bytes() + kProbeBytes),
      model_(
          {file.config, own_slice(file, group), load_weights(file.tensors, file.config, own_slice(file, group), ops)},
          {.max_rows = shape.max_rows,
           .max_logit_rows = shape.max_sequences,
           .max_pages = pages_for(shape) * shape.max_sequences},
          ops, group),
      link_(make_local_link({kv_.data(), kv_.size()})),
      shipper_(group.rank(), layouts_, {*link_, device_}, clock_),
      rank_(compute_with(model_, layout_, {kv_.data(), kv_.size()}), layout_, file.config.n_vocab, group, shipper_) {}

size_t ModelBench::kv_memory(const ModelFile& file, const BenchShape& shape, const Communicator& group) {
  return layouts_of(file, shape, group)[static_cast<size_t>(group.rank())].bytes() + kProbeBytes;
}

void ModelBench::append(Batch& batch, int sequence, Range positions, const int* tokens) const {
  check(positions.end <= shape_.max_tokens, "a sequence fits its pages");
  for (int i = positions.begin; i < positions.end; ++i) {
    batch.tokens.push_back(*tokens++);
    batch.positions.push_back(i);
  }
  batch.row_begin.push_back(batch.n_rows());
  for (int page = 0; page < layout_.pages_for(positions.end); ++page) {
    batch.pages.push_back(sequence * pages_per_sequence_ + page);
  }
  batch.page_begin.push_back(static_cast<int>(batch.pages.size()));
}

Digests ModelBench::run(const Batch& batch) { return model_.forward(batch, layout_, {kv_.data(), kv_.size()}, {}); }

double ModelBench::prefill(int n_tokens) {
  const auto tokens = made_up_tokens(n_tokens, file_.config.n_vocab);
  const auto start = std::chrono::steady_clock::now();
  for (int begin = 0; begin < n_tokens; begin += shape_.max_rows) {
    const int end = std::min(begin + shape_.max_rows, n_tokens);
    Batch batch;
    append(batch, 0, {begin, end}, tokens.data() + begin);
    if (end == n_tokens) batch.logit_rows.push_back(end - begin - 1);
    run(batch);
  }
  return seconds_since(start);
}

// What a leader and those that follow it do, but for requests and their pages.
void ModelBench::run_as_group(Batch batch) {
  const Step step = {.id = n_steps_++, .batch = std::move(batch)};
  std::string bytes = pack(step);
  group_.broadcast(bytes, [] {});
  const StepResult result = rank_.run(step, bytes);
  const Request greedy = {.prompt = {0}, .max_tokens = 1};
  for (const RowDigest& digest : result.digests)
    check(next_token(digest, greedy, greedy.prompt, {}).has_value(), "the best of a digest is the greedy token");
}

ModelBench::DecodeStep ModelBench::decode(int n_sequences, int context, int n_steps) {
  const auto tokens = made_up_tokens(context + n_steps, file_.config.n_vocab);
  const auto run_step = [&](int step) {
    Batch batch;
    for (int s = 0; s < n_sequences; ++s) {
      append(batch, s, {context + step, context + step + 1}, tokens.data() + context + step);
      batch.logit_rows.push_back(s);
    }
    run_as_group(std::move(batch));
  };
  for (int i = 0; i < 2; ++i) run_step(0);  // the first steps of a shape may be recorded for those after them
  const DeviceWaits waits(device_, clock_);
  const auto start = std::chrono::steady_clock::now();
  for (int step = 0; step < n_steps; ++step) run_step(step);
  const double seconds = seconds_since(start);
  DecodeStep average = {.seconds = seconds / n_steps, .host_seconds = {}};
  if (device_.stream() != nullptr)
    average.host_seconds = (seconds - std::chrono::duration<double>(waits.total()).count()) / n_steps;
  return average;
}

ModelBench::Next ModelBench::next_cached(const std::vector<int>& tokens, int n_in_cache) {
  const auto start = std::chrono::steady_clock::now();
  const int n = static_cast<int>(tokens.size());
  Next next;
  for (int begin = n_in_cache; begin < n; begin += shape_.max_rows) {
    const int end = std::min(begin + shape_.max_rows, n);
    Batch batch;
    append(batch, 0, {begin, end}, tokens.data() + begin);
    if (end == n) batch.logit_rows.push_back(end - begin - 1);
    const Digests digests = run(batch);
    if (end == n) next.token = best_token(batch, digests);
  }
  next.seconds = seconds_since(start);
  return next;
}

// On every rank the same: each offers its best, rank 0 decides and tells.
int ModelBench::best_token(const Batch& batch, const Digests& mine) {
  std::vector<Digests> digests;
  for (const std::string& bytes : group_.gather_bytes(pack(mine))) {
    const auto one = unpack<Digests>(bytes);
    check(one.has_value(), "a rank offers a digest");
    digests.push_back(*one);
  }
  std::string best;
  if (group_.rank() == 0) best = std::to_string(merged(digests, batch)[0].best[0].id);
  group_.broadcast(best, [] {});
  return std::stoi(best);
}

double ModelBench::flops_per_row(int context) const {
  const ModelConfig& c = file_.config;
  const double layer = 2.0 * c.width * (c.n_heads + 2 * c.n_kv_heads) * c.head_dim +
                       2.0 * c.n_heads * c.head_dim * c.width + 3 * 2.0 * c.width * c.ffn_width;
  const double attention = 2 * 2.0 * c.n_heads * c.head_dim * context;
  return c.n_layers * (layer + attention);
}

double ModelBench::kv_bytes(int context) const {
  return static_cast<double>(context) * file_.config.n_layers * 2 * layout_.shard().heads.size() *
         layout_.token_bytes();
}

}  // namespace ferry
