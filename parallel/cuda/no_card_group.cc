// In builds without the CUDA compiler.

#include "core/base/error.h"
#include "parallel/cuda/card_group.h"

namespace ferry {

CardGroup make_card_group(Communicator&, Device&, const CardGroupSettings&) {
  throw Error("this build of Ferry adds up on no cards: it has no CUDA backend");
}

}  // namespace ferry
