// Before a parcel is sent again that the store may have: does the store know a repeat for one?
//
// What may be there waits until the store says that it is ready; where it had been away, and not
// said that it was starting, until it has answered for kSettling. Whoever answers with nothing but
// errors for kPatience may not be the store (a proxy that knows the way to pushes alone): then it
// is sent, and that answer tells.
#include <algorithm>
#include <utility>

#include "ship/internal/http_words.h"
#include "ship/lane.h"

namespace pmx::ship {
namespace {

constexpr auto kSettling = std::chrono::seconds(15);
constexpr auto kStartingPause = std::chrono::seconds(1);
constexpr auto kPatience = std::chrono::minutes(2);

}  // namespace

bool Lane::must_ask() const {
  if (!ask_first_) return false;
  const bool again =
      std::any_of(batch_->parcels.begin(), batch_->parcels.end(),
                  [](const Parcel& parcel) { return !parcel.settled && parcel.may_be_there; });
  return again && parts_.sink.readiness_request(attempt_).has_value();
}

void Lane::ask() {
  Sending sending{0, kAsking, parts_.host.sent()};
  sending.id = parts_.transport.send(*parts_.sink.readiness_request(attempt_),
                                     [this](const HttpAnswer& answer) { store_said(answer); });
  sending_.push_back(sending);
}

void Lane::store_said(const HttpAnswer& answer) {
  const auto asked_at = sending_.front().since;
  sending_.clear();
  const auto now = parts_.clock.steady_now();
  if (!asking_since_ || answer.status == 0) asking_since_ = now;
  const bool patient = now - *asking_since_ < kPatience;
  if (!patient) answers_since_ = now - kSettling;
  switch (parts_.sink.readiness(answer)) {
    case Readiness::kAway:
      if (!patient) break;
      was_away();
      parts_.host.answered(asked_at, internal::retry(answer, false), answer);
      return wait();
    case Readiness::kStarting:
      starting_seen_ = true;
      parts_.host.answered(asked_at, internal::retry(answer, false), answer);
      return wait_for(kStartingPause);
    case Readiness::kReady:
      if (!away_seen_ || starting_seen_) answers_since_ = now - kSettling;
      break;
    case Readiness::kUnknown:
      break;
  }
  // No answer to a push: what the sink's state is, that one says.
  parts_.host.cancelled(asked_at);
  if (!answers_since_) answers_since_ = now;
  const auto left = *answers_since_ + kSettling - now;
  if (left > left.zero()) return wait_for(left);
  ask_first_ = away_seen_ = starting_seen_ = false;
  answers_since_.reset();
  asking_since_.reset();
  send_open();
}

void Lane::was_away() {
  ask_first_ = away_seen_ = true;
  starting_seen_ = false;
  answers_since_.reset();
}

}  // namespace pmx::ship
