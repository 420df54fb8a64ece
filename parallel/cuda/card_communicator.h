#pragma once
// A group whose ranks compute on CUDA cards. What the host has goes over MPI, as ever; what the cards have is added up
// in the way that was fastest for its size when the group started.
//
// A rank that dies is noticed by those who wait for their cards: they fail, and with them the group.

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/seam/communicator.h"
#include "core/seam/device.h"
#include "parallel/cuda/reduce_plan.h"
#include "parallel/cuda/reducer.h"
#include "parallel/peer_processes.h"

namespace ferry {

using Reducers = std::vector<std::unique_ptr<Reducer>>;

class CardCommunicator final : public Communicator {
 public:
  // Collective, as is its end. `host` and `device` outlive it; the reducers are the same on every rank, at least one,
  // and may use `peers`. A rank does not wait for its card longer than `patience`.
  struct Parts {
    std::unique_ptr<PeerProcesses> peers;
    Reducers reducers;
    Duration patience = std::chrono::seconds(30);
  };
  CardCommunicator(Communicator& host, Device& device, Parts parts);
  ~CardCommunicator() override;
  CardCommunicator(const CardCommunicator&) = delete;
  CardCommunicator& operator=(const CardCommunicator&) = delete;

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  void all_reduce_sum(std::span<float> values) override;
  bool in_stream() const override;
  void gather(std::span<const float> mine, std::span<float> all) override { host_.gather(mine, all); }
  std::vector<std::string> gather_bytes(const std::string& mine) override { return host_.gather_bytes(mine); }
  void broadcast(std::string& bytes, const std::function<void()>& idle) override { host_.broadcast(bytes, idle); }

  const ReducePlan& plan() const { return plan_; }

  // What there is to choose from, for whoever measures.
  std::vector<ReduceMethod> methods() const;
  void all_reduce_sum_by(ReduceMethod method, std::span<float> values);

 private:
  void look(Duration waited);
  ReducePlan measured();
  double seconds_of(ReduceMethod method, std::span<float> values);
  Reducer& reducer_of(ReduceMethod method) const;
  void give_up() noexcept;

  Communicator& host_;
  Device& device_;
  const Parts parts_;                                    // the reducers end before the peers
  const int n_exceptions_ = std::uncaught_exceptions();  // in flight at construction
  int64_t last_look_ = 0;                                // at the peers, in turns of a wait
  ReducePlan plan_;
};

}  // namespace ferry
