// Descriptors that are told of by hand.
//
// Faults it can inject: none. Never: a call that the test did not ask for.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "base/watches.h"

namespace pmx::test {

class FakeWatches final : public Watches {
 public:
  Result<void> watch_changes(int fd, std::function<void()> on_change) override {
    watched_[fd] = std::move(on_change);
    return {};
  }
  void unwatch(int fd) override { watched_.erase(fd); }

  // Something may have changed on any of them, as the loop says it when in doubt.
  void changed() {
    const auto now = watched_;  // One that is told may unwatch itself and others.
    for (const auto& [fd, on_change] : now)
      if (watched_.contains(fd)) on_change();
  }
  std::size_t count() const { return watched_.size(); }

 private:
  std::map<int, std::function<void()>> watched_;
};

}  // namespace pmx::test
