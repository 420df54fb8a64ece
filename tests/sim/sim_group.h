#pragma once
// One life of a group: a real engine, real ranks and shippers, over a simulated link and network. All ranks take their
// turns in one thread; steps take simulated time.

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/engine/engine.h"
#include "core/engine/rank.h"
#include "core/handoff/shipper.h"
#include "kernels/cpu/host_device.h"
#include "tests/sim/fake_model.h"
#include "tests/sim/sim_control.h"
#include "tests/sim/sim_link.h"
#include "tests/sim/surroundings.h"

namespace ferry::sim {

class SimGroup {
 public:
  struct Life {
    Host host = 0;
    uint64_t epoch = 0;
  };
  // All outlive the group.
  SimGroup(const Surroundings& around, Life life, Fabric& fabric, Switchboard& switchboard);

  Process& process() { return process_; }
  const Engine& engine() const { return engine_; }
  const wire::GroupKey& key() const { return info_.key; }
  void wake();  // there may be something to do

  // Everything is free, nothing is left of any request.
  void check_at_rest() const;

 private:
  // The place of a rank in its group. What ranks say to each other, the simulation carries.
  class Place final : public Communicator {
   public:
    Place(int rank, int size) : rank_(rank), size_(size) {}
    int rank() const override { return rank_; }
    int size() const override { return size_; }
    void all_reduce_sum(std::span<float>) override { std::abort(); }
    bool in_stream() const override { return false; }
    void gather(std::span<const float>, std::span<float>) override { std::abort(); }
    std::vector<std::string> gather_bytes(const std::string&) override { std::abort(); }
    void broadcast(std::string&, const std::function<void()>&) override { std::abort(); }

   private:
    const int rank_, size_;
  };
  struct Seat {
    Seat(const wire::GroupInfo& info, int number, SimLink& link, const Clock& clock);
    Place place;
    SimLink& link;
    const KvLayout layout;
    HostDevice device;
    FakeModel model;
    Shipper shipper;
    Rank rank;
    std::map<ChannelId, GroupId> groups;  // who writes through a channel
  };

  void tick();
  void turn();
  void listen();
  void hear(const ControlEvent& event);
  void speak();
  void begin(Step step);
  void execute(Seat& seat);
  void finish();
  void check_seen() const;
  std::vector<float> asked_logits(const std::vector<int>& rows);
  void check_landing(const Seat& seat, ChannelId channel, const Piece& piece) const;
  void check_verified(const StepReceipt& receipt) const;
  void check_step() const;
  void check_pages() const;
  void check_deadlines();
  void note_deadline(const wire::ToLeader& order);
  Duration length_of_step();

  const Surroundings around_;
  const GroupPlan& plan_;
  Process process_;
  const wire::GroupInfo info_;
  Engine engine_;
  std::deque<Seat> seats_;  // by rank
  SimControl control_;
  std::optional<StreamId> stream_;

  bool turn_planned_ = false;
  std::multiset<Instant> deadlines_;  // of what the router asked for
  std::optional<Step> step_;          // that runs
  std::string step_bytes_;
};

}  // namespace ferry::sim
