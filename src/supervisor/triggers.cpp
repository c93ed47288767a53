#include "supervisor/triggers.h"

#include <algorithm>
#include <utility>

namespace pmx::supervisor {

Triggers::~Triggers() {
  for (const Question& question : open_) timers_.cancel(question.timer);
}

Result<void> Triggers::expect(std::string action, const std::vector<WorkerId>& workers,
                              std::chrono::milliseconds patience, Done done) {
  if (open_.size() >= kMaxOpen)
    return Error(Errc::kUnavailable, "too many triggers wait for an answer: try again later");
  Question& question = open_.emplace_back();
  question.action = std::move(action);
  for (const WorkerId worker : workers) question.replies.emplace_back().worker = worker;
  question.done = std::move(done);
  question.patience = patience;
  const auto self = std::prev(open_.end());
  question.timer = timers_.call_after(patience, [this, self] { answer(self); });
  return {};
}

// An app that answers without the action's name is believed.
void Triggers::replied(WorkerId worker, const Json& data) {
  const Json& action = data["action_name"];
  for (Question& question : open_) {
    if (action.is_string() && action.as_string() != question.action) continue;
    for (Reply& reply : question.replies) {
      if (reply.worker != worker || !std::exchange(reply.waited_for, false)) continue;
      reply.returned = data.find("return") != nullptr;
      reply.value = data["return"];
    }
  }
  answer_complete();
}

void Triggers::failed(WorkerId worker, std::string_view why) {
  for (Question& question : open_)
    for (Reply& reply : question.replies)
      if (reply.worker == worker && std::exchange(reply.waited_for, false)) reply.trouble = why;
  answer_complete();
}

void Triggers::answer_complete() {
  for (auto at = open_.begin(); at != open_.end();) {
    const auto question = at++;
    if (std::none_of(question->replies.begin(), question->replies.end(),
                     [](const Reply& reply) { return reply.waited_for; }))
      answer(question);
  }
}

void Triggers::answer(Questions::iterator question) {
  timers_.cancel(question->timer);
  Question answered = std::move(*question);
  open_.erase(question);
  for (Reply& reply : answered.replies)
    if (reply.waited_for)
      reply.trouble = "has not replied in " + std::to_string(answered.patience.count()) + " ms";
  answered.done(std::move(answered.replies));
}

}  // namespace pmx::supervisor
