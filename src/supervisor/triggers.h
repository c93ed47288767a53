// Questions to apps that are open: who was asked for which action, and who has answered
// (axm:reply).
//
// Owns:       the open questions and their timers.
// Thread:     control.
// Invariants: each question is answered once: when all have replied or ended, or its patience is
//             over.
// Bounds:     kMaxOpen questions at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/timers.h"
#include "model/ids.h"

namespace pmx::supervisor {

class Triggers {
 public:
  static constexpr std::size_t kMaxOpen = 256;
  struct Reply {
    WorkerId worker;
    bool waited_for = true;
    bool returned = false;  // It replied, and returned a value.
    Json value = nullptr;
    std::string trouble = "";  // Why there is no reply; "": there is one.
  };
  using Done = std::function<void(std::vector<Reply>)>;

  explicit Triggers(Timers& timers) : timers_(timers) {}
  ~Triggers();
  Triggers(const Triggers&) = delete;
  Triggers& operator=(const Triggers&) = delete;

  // Before the workers are asked. kUnavailable: too many are open.
  Result<void> expect(std::string action, const std::vector<WorkerId>& workers,
                      std::chrono::milliseconds patience, Done done);
  void replied(WorkerId worker, const Json& data);  // The data of its axm:reply.
  // No reply will come from it: its run has ended, or it could not be asked.
  void failed(WorkerId worker, std::string_view why);

 private:
  struct Question {
    std::string action;
    std::vector<Reply> replies;
    Done done;
    std::chrono::milliseconds patience{0};
    Timers::Id timer = 0;
  };
  using Questions = std::list<Question>;
  void answer_complete();
  void answer(Questions::iterator question);

  Timers& timers_;
  Questions open_;
};

}  // namespace pmx::supervisor
