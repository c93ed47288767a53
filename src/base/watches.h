// To be called when something changes on a descriptor: the event loop as supervision sees it,
// narrow as base/timers.h, so that tests say by hand when that is.
//
// Thread:  the loop's.
#pragma once

#include <functional>
#include <utility>

#include "base/event_loop.h"

namespace pmx {

class Watches {
 public:
  virtual ~Watches() = default;
  // As EventLoop::watch_changes(); never calls back before it has returned.
  virtual Result<void> watch_changes(int fd, std::function<void()> on_change) = 0;
  virtual void unwatch(int fd) = 0;
};

class LoopWatches final : public Watches {
 public:
  explicit LoopWatches(EventLoop& loop) : loop_(loop) {}
  Result<void> watch_changes(int fd, std::function<void()> on_change) override {
    return loop_.watch_changes(fd, std::move(on_change));
  }
  void unwatch(int fd) override { loop_.unwatch(fd); }

 private:
  EventLoop& loop_;
};

}  // namespace pmx
