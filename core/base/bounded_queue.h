#pragma once
// Hands items from one thread to another; the only place where threads of a process meet. It is full when the weights
// of what is inside add up to the capacity: whoever adds has to wait, or is told.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "core/seam/clock.h"

namespace ferry {

template <class T>
class BoundedQueue {
 public:
  // on_add: called by whoever adds, in its thread, after each item; it must not block.
  explicit BoundedQueue(size_t capacity, std::function<void()> on_add = {})
      : capacity_(capacity), on_add_(std::move(on_add)) {}

  // Waits while the queue is full. False: it is closed, and the item is dropped.
  bool push(T item, size_t weight = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || weight_ < capacity_; });
    return add(std::move(item), weight, lock);
  }

  // False: it is full or closed, and the item is dropped.
  bool try_push(T item, size_t weight = 1) {
    std::unique_lock lock(mutex_);
    return weight_ < capacity_ && add(std::move(item), weight, lock);
  }

  // nullopt: empty.
  std::optional<T> try_pop() {
    const std::lock_guard lock(mutex_);
    return take();
  }

  // nullopt: nothing came in time, or nothing will come any more.
  std::optional<T> pop(Duration timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [&] { return closed_ || !items_.empty(); });
    return take();
  }

  // Nothing is added after this; what is inside can still be taken. Everybody who waits returns.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  struct Item {
    T value;
    size_t weight = 1;
  };

  bool add(T&& value, size_t weight, std::unique_lock<std::mutex>& lock) {
    if (closed_) return false;
    items_.push_back({std::move(value), weight});
    weight_ += weight;
    changed_.notify_all();
    lock.unlock();
    if (on_add_) on_add_();
    return true;
  }

  std::optional<T> take() {
    if (items_.empty()) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    weight_ -= item.weight;
    changed_.notify_all();
    return std::move(item.value);
  }

  const size_t capacity_;
  const std::function<void()> on_add_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  size_t weight_ = 0;
  bool closed_ = false;
};

}  // namespace ferry
