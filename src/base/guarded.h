// A value that several threads may read and replace, each holding it only for a moment. The one
// other use of a mutex in pmx is the event loop's list of posted calls.
#pragma once

#include <mutex>
#include <utility>

namespace pmx {

template <class T>
class Guarded {
 public:
  T get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  void set(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
  }
  template <class Read>
  auto with(Read read) const {
    const std::lock_guard lock(mutex_);
    return read(value_);
  }
  template <class Change>
  auto with(Change change) {
    const std::lock_guard lock(mutex_);
    return change(value_);
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

}  // namespace pmx
