// Which events a sink gets: by stream, level, pattern, field, sample and rate.
//
// Deterministic but for the rate limit, which goes by the lines' own times: an event that is asked
// about again after a restart gets the same answer wherever that is possible.
// Thread: ship.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/sink_spec.h"
#include "ship/event.h"
#include "ship/json_fields.h"

namespace pmx::ship {

class EventFilter {
 public:
  enum class Answer : std::uint8_t { kKeep, kFiltered, kSampled, kRateLimited };

  // Error: a pattern that RE2 does not take, with the pattern and RE2's words.
  static Result<std::unique_ptr<EventFilter>> create(const SinkFilter& filter);
  ~EventFilter();

  // `json` is called at most once, where a rule needs the line's fields.
  Answer ask(const Event& event, JsonReader& json);
  bool passes_all() const;  // There are no rules: ask() need not be called.
  // Lines suppressed by the rate limit since the last call, to be told in one line of the app's
  // own: "[pmx] suppressed 120 lines (more than 100 a second)". 0: none.
  std::uint64_t take_suppressed(const std::string& app);

 private:
  EventFilter();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pmx::ship
