#pragma once
// A group of ranks that compute on cards, made of what their cards can do with each other. In a build without CUDA,
// no_card_group.cc stands behind this.

#include <memory>
#include <string>

#include "parallel/cuda/card_communicator.h"

namespace ferry {

enum class AllReduceBy : uint8_t { automatic, ipc, nccl, host };

struct CardGroupSettings {
  AllReduceBy by = AllReduceBy::automatic;
  std::string nccl_library = "libnccl.so.2";
  bool cards_are_shared = false;                 // by ranks of this group: NCCL does not know that
  Duration patience = std::chrono::seconds(30);  // with a rank that does not come
};

struct CardGroup {
  std::unique_ptr<CardCommunicator> communicator;
  std::string text;  // how it adds up, and what it lacks for other ways: for people
};

// Collective: all ranks of `host`, whose Ops compute on `device`. Both outlive the group.
CardGroup make_card_group(Communicator& host, Device& device, const CardGroupSettings& settings);

}  // namespace ferry
