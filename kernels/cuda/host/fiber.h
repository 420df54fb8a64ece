#pragma once
// One thread of a block: a stack of its own, entered and left by turns. Tells AddressSanitizer of each change of stack.

#include <boost/context/fiber.hpp>
#include <boost/context/preallocated.hpp>
#include <cstddef>
#include <functional>
#include <memory>

namespace ferry::emulator {

class Fiber {
 public:
  Fiber();

  void start(const std::function<void()>& body);  // which runs at the first resume(); it outlives the fiber's run
  void resume();                                  // until it leaves or ends
  void leave();                                   // called by the body
  bool ended() const { return !fiber_; }

 private:
  struct OwnStack {  // kept from one body to the next
    boost::context::stack_context allocate() const { return context; }
    void deallocate(boost::context::stack_context&) const {}
    boost::context::stack_context context;
  };

  std::unique_ptr<std::byte[]> stack_;
  boost::context::fiber fiber_;    // where the body goes on
  boost::context::fiber resumer_;  // where resume() goes on
  // Stacks, as the sanitizer wants to know them.
  void* body_frames_ = nullptr;
  void* resumer_frames_ = nullptr;
  const void* resumer_stack_ = nullptr;
  size_t resumer_stack_bytes_ = 0;
};

}  // namespace ferry::emulator
