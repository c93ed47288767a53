// Many workers, one answer: the first error, or the outcome, when the last of them is done.
//
// Thread:  control. Shared by the callbacks that it gives out: the last one to come answers.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "api/operations.h"

namespace pmx::api {

class Gather : public std::enable_shared_from_this<Gather> {
 public:
  Gather(supervisor::Supervisor& workers, Outcome outcome, Operations::Done done)
      : workers_(workers), outcome_(std::move(outcome)), done_(std::move(done)) {}
  supervisor::Supervisor::Done expect() {
    ++open_;
    return [self = shared_from_this()](Result<void> result) {
      if (!result && !self->error_) self->error_ = std::move(result).error();
      self->arrived();
    };
  }
  // After the last expect(): without it a worker that answers at once would end the gathering.
  void close() { arrived(); }

 private:
  void arrived() {
    if (--open_ > 0) return;
    workers_.save_now();  // What is answered stays true whoever is killed next.
    const auto done = std::move(done_);
    if (error_) return done(std::move(*error_));
    done(std::move(outcome_));
  }
  supervisor::Supervisor& workers_;
  Outcome outcome_;
  Operations::Done done_;
  std::optional<Error> error_;
  int open_ = 1;
};

}  // namespace pmx::api
