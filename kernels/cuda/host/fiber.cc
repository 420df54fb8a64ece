#include "kernels/cuda/host/fiber.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#else
namespace {
void __sanitizer_start_switch_fiber(void**, const void*, size_t) {}
void __sanitizer_finish_switch_fiber(void*, const void**, size_t*) {}
}  // namespace
#endif

namespace ferry::emulator {

namespace {
constexpr size_t kStackBytes = size_t{256} << 10;  // the system gives only what is touched
}

Fiber::Fiber() : stack_(new std::byte[kStackBytes]) {}

void Fiber::start(const std::function<void()>& body) {
  boost::context::stack_context stack;
  stack.sp = stack_.get() + kStackBytes;
  stack.size = kStackBytes;
  fiber_ = boost::context::fiber(std::allocator_arg, OwnStack{stack}, [this, &body](boost::context::fiber&& resumer) {
    __sanitizer_finish_switch_fiber(nullptr, &resumer_stack_, &resumer_stack_bytes_);
    resumer_ = std::move(resumer);
    body();
    __sanitizer_start_switch_fiber(nullptr, resumer_stack_, resumer_stack_bytes_);  // this stack is done
    return std::move(resumer_);
  });
}

void Fiber::resume() {
  __sanitizer_start_switch_fiber(&resumer_frames_, stack_.get(), kStackBytes);
  fiber_ = std::move(fiber_).resume();
  __sanitizer_finish_switch_fiber(resumer_frames_, nullptr, nullptr);
}

void Fiber::leave() {
  __sanitizer_start_switch_fiber(&body_frames_, resumer_stack_, resumer_stack_bytes_);
  resumer_ = std::move(resumer_).resume();
  __sanitizer_finish_switch_fiber(body_frames_, &resumer_stack_, &resumer_stack_bytes_);
}

}  // namespace ferry::emulator
