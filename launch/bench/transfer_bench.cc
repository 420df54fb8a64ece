#include "launch/bench/transfer_bench.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>
#include <random>

#include "core/base/error.h"
#include "launch/bench/transfer_peer.h"

namespace ferry {

namespace {

using Steady = std::chrono::steady_clock;

constexpr size_t kPageBytes = 4096;

double seconds_since(Steady::time_point start) { return std::chrono::duration<double>(Steady::now() - start).count(); }

void fill(std::span<std::byte> memory) {
  std::mt19937_64 random(1);
  for (size_t at = 0; at + sizeof(uint64_t) <= memory.size(); at += sizeof(uint64_t)) {
    const uint64_t value = random();
    std::memcpy(&memory[at], &value, sizeof value);
  }
}

}  // namespace

TransferBench::TransferBench(std::unique_ptr<KvLink> link, std::vector<std::string> peer_command)
    : link_(std::move(link)),
      channel_(link_->open()),
      copy_memory_(static_cast<std::byte*>(std::aligned_alloc(kPageBytes, memory_bytes())), &std::free),
      copy_(copy_memory_.get(), memory_bytes()) {
  fill(link_->memory());
  std::fill(copy_.begin(), copy_.end(), std::byte{0});
  peer_command.insert(peer_command.end(), {"--address", hex_of(link_->address(channel_))});
  const auto on_line = [this](std::string_view line) {
    if (first_line_.empty()) {
      first_line_ = line;
    } else {
      std::cerr << line << "\n";
    }
  };
  child_ = std::make_unique<Child>(ProcessCommand{.words = std::move(peer_command), .environment = {}}, on_line);
  connect();
}

void TransferBench::connect() {
  await([this] { return !first_line_.empty(); });
  peer_ = link_->connect(channel_, bytes_of_hex(first_line_));
  flush();
}

double TransferBench::put_seconds(const TransferCase& what) {
  const auto start = Steady::now();
  for (const auto& pieces : what.puts) link_->put(peer_, pieces);
  flush();
  return seconds_since(start);
}

double TransferBench::copy_seconds(const TransferCase& what) {
  const std::byte* const from = link_->memory().data();
  const auto start = Steady::now();
  for (const auto& pieces : what.puts) {
    for (const Piece& piece : pieces) std::memcpy(&copy_[piece.to], from + piece.from, piece.bytes);
  }
  return seconds_since(start);
}

void TransferBench::repeat(std::span<const Piece> pieces, int n) {
  const auto most = static_cast<int>(pieces.size());
  for (int left = n; left > 0; left -= most) link_->put(peer_, pieces.first(std::min(left, most)));
  flush();
}

double TransferBench::repeated_put_seconds(size_t piece_bytes, int n) {
  constexpr int kPiecesAPut = 16;
  const std::vector<Piece> pieces(kPiecesAPut, {.from = 0, .to = 0, .bytes = piece_bytes});
  std::memcpy(copy_.data(), link_->memory().data(), piece_bytes);
  repeat(pieces, n / kPiecesToOneBefore + 1);
  const auto start = Steady::now();
  repeat(pieces, n);
  return seconds_since(start);
}

double TransferBench::latency_us(size_t piece_bytes) {
  constexpr int kTimes = 201;
  std::vector<double> times;
  times.reserve(kTimes);
  for (int i = 0; i < kTimes; ++i) times.push_back(repeated_put_seconds(piece_bytes, 1) * 1e6);
  std::nth_element(times.begin(), times.begin() + kTimes / 2, times.end());
  return times[kTimes / 2];
}

bool TransferBench::arrived() {
  answer_.reset();
  link_->send(peer_, "hash");
  await([this] { return answer_.has_value(); });
  const bool same = *answer_ == hash_text(copy_);
  std::fill(copy_.begin(), copy_.end(), std::byte{0});
  return same;
}

void TransferBench::flush() {
  const uint64_t before = n_flushed_;
  link_->flush(peer_, 0);
  await([&] { return n_flushed_ > before; });
}

void TransferBench::await(const std::function<bool()>& done) {
  constexpr auto kPatience = std::chrono::seconds(60);
  constexpr int kPollsBetweenLooks = 10000;  // at the child, which costs a system call
  const auto deadline = Steady::now() + kPatience;
  for (int i = 1; !done(); ++i) {
    const auto event = link_->poll();
    if (!event) sched_yield();
    if (event && std::holds_alternative<Flushed>(*event)) ++n_flushed_;
    if (event && std::holds_alternative<Received>(*event)) answer_ = std::get<Received>(*event).bytes;
    if (event && std::holds_alternative<Broken>(*event)) throw Error(std::get<Broken>(*event).why);
    if (i % kPollsBetweenLooks != 0 && !first_line_.empty()) continue;
    if (const auto exit = child_->poll()) throw Error(str("the other process ended: ", exit->text()));
    if (Steady::now() > deadline) throw Error("the other process does not answer");
  }
}

}  // namespace ferry
