// What `pmx logs --pretty` shows of many logs: their lines go in, their events (event_joiner.h)
// come out in the order of their first lines, so that nobody else's lines cut a stack trace apart.
// A filter sees an event as a whole: it is shown where one of its lines matches, and its time is
// that of its first line.
//
// An event waits while an older one may still go on, which is until nothing has come of it for a
// moment, as when logs are shipped.
//
// Thread:  any, one at a time.
// Bounds:  kMostHeldBytes of events that wait; more of them go before the older one, which stays
//          whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cli/event_joiner.h"
#include "cli/logs_sources.h"
#include "rotate/log_reader.h"

namespace pmx::cli {

class LogsEvents {
 public:
  using Print = std::function<bool(const LogSource&, const rotate::LogLine&)>;  // False: stop.
  static constexpr std::size_t kMostHeldBytes = 1U << 20U;

  LogsEvents(const Clock& clock, rotate::LineFilter filter, Print print);

  // What must be read for it: lines that do not match may belong to events that do.
  rotate::LineFilter lines_filter() const;
  // Where a log's reader begins: so that its last `n` events are shown, or those from `time_ns` on.
  void seek_last(rotate::LogReader& reader, std::uint64_t n);
  static void seek_time(rotate::LogReader& reader, std::int64_t time_ns);

  // The next line by time. What had been recorded at `looked_ns` has been added or comes in order.
  // False, as of all below: nothing more is to be printed.
  bool add(const LogSource& source, const rotate::LogLine& line, std::int64_t looked_ns);
  bool settle(std::int64_t looked_ns);  // And nothing of it is to come: prints what is complete.
  bool finish();                        // Prints the rest.
  std::optional<std::chrono::milliseconds> settle_in() const;  // nullopt: nothing waits.

 private:
  struct Log {
    std::unique_ptr<EventJoiner> joiner;
    std::uint64_t skip = 0;  // Events before those that are shown.
  };
  struct Held {
    const LogSource* source = nullptr;
    rotate::LogLine event;
    std::string text;
  };
  struct Count {
    std::uint64_t all = 0;
    std::uint64_t whole = 0;  // Behind the last one whose beginning may be missing.
  };

  Log& log_of(const LogSource& source);
  void hold(const LogSource& source, const rotate::LogLine& event);
  bool release(std::int64_t quiet_since_ns);
  bool print_first();
  bool wanted(const rotate::LogLine& event) const;
  bool matches(std::string_view date, std::string_view text) const;
  bool severe_enough(std::string_view text) const;
  Count count(rotate::LogReader& reader, bool whole_log) const;

  const Clock& clock_;
  const rotate::LineFilter filter_;
  const Print print_;
  std::map<const LogSource*, Log> logs_;
  std::map<std::string, std::uint64_t> skips_;  // By the path of a log that has no lines yet.
  std::map<std::uint64_t, Held> held_;          // By number.
  std::size_t held_bytes_ = 0;
  std::uint64_t number_ = 0;
  bool stopped_ = false;
};

}  // namespace pmx::cli
