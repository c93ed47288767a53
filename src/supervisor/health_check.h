// Asks one new worker whether it is well, by HTTP GET, again and again until it answers as its app
// says (HealthRule) or its time is over.
//
// Owns:       the connection of the question under way, its timers.
// Thread:     control; nothing here blocks.
// Bounds:     kMostBytes of an answer; one question at a time, kPause after a wrong answer.
// Errors:     what the worker did last, said so that "the new process" may stand before it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "base/timers.h"
#include "base/watches.h"
#include "model/app_spec.h"
#include "supervisor/http_answer.h"

namespace pmx::supervisor {

class HealthCheck {
 public:
  using Done = std::function<void(Result<void>)>;
  static constexpr std::size_t kMostBytes = 64U << 10U;
  static constexpr std::chrono::milliseconds kPause{100};

  struct Parts {
    Watches& watches;
    Timers& timers;
    std::function<Result<Fd>()> connect;  // To that worker, and to none of its siblings.
  };
  // `done` comes once, from the loop; it may destroy this.
  HealthCheck(Parts parts, HealthRule rule, std::chrono::milliseconds within, Done done);
  ~HealthCheck();
  HealthCheck(const HealthCheck&) = delete;
  HealthCheck& operator=(const HealthCheck&) = delete;

 private:
  struct Pattern;
  void ask();
  void hear();
  void judge(const HttpAnswer& answer);
  void wrong(std::string what);
  void hang_up();
  void finish(Result<void> result);
  bool expects(const HttpAnswer& answer) const;
  std::string not_expected(const HttpAnswer& answer) const;

  const Parts parts_;
  const HealthRule rule_;
  const std::chrono::milliseconds within_;
  Done done_;
  int status_ = 0;                          // Expected; 0: text_, or pattern_, in the body.
  std::unique_ptr<const Pattern> pattern_;  // nullptr: text.
  Fd connection_;
  std::string heard_;
  std::string last_;
  Timers::Id ask_timer_ = 0, end_timer_ = 0;
};

}  // namespace pmx::supervisor
