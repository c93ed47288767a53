// Reads a lane's logs, merged by time, and makes the requests of one batch: clean, filter, redact,
// cut, encode.
//
// Owns:       the buffers that are used again. Borrows sink, filter and redactor.
// Thread:     ship.
// Invariants: a batch's `after` is right if all its parcels are settled; nothing is read twice.
// Bounds:     SinkBatch: no parcel above max_bytes, but for one event (256 KiB) alone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/severity.h"
#include "ship/clean_text.h"
#include "ship/flight.h"
#include "ship/json_fields.h"
#include "ship/line_filter.h"
#include "ship/log_source.h"
#include "ship/redactor.h"
#include "ship/sink.h"

namespace pmx::ship {

struct BatcherParts {
  Sink& sink;
  EventFilter& filter;
  Redactor* redactor = nullptr;  // nullptr: no rules.
  SinkBatch limits;
  CleanOptions clean;
  bool multiline = true;
  const Clock& clock;
  std::function<Severity(std::string_view)> severity_of;  // Reads up to 64 bytes past the line.
  std::function<RunInfo(StreamId)> run_of;                // Of a stream that is new to the batch.
};

class Batcher {
 public:
  explicit Batcher(BatcherParts parts) : parts_(parts) {}

  void add_source(Fs& files, rotate::LogDir dir, Origin origin);
  bool has_source(const std::string& path) const;
  const Origin* origin_of(LogId log) const;
  // Every source back to where `cursor` says.
  void seek(const LaneCursor& cursor);
  void seek_source(const std::string& path, const LogCursor& cursor);

  // Everything that is there, up to a batch. nullopt: nothing was found that changes the cursor.
  // `serial` is the batch's.
  std::optional<Batch> build(const LaneCursor& settled, std::uint64_t serial);
  bool more() const { return full_; }  // The last batch did not take all that was there.
  // When an open stack trace should be looked at again; nullopt: there is none.
  std::optional<std::chrono::nanoseconds> open_for() const;
  void directory_changed();
  void set_end(const std::string& path, const std::optional<LogPosition>& end);
  bool finished() const;  // No source has anything open, or has come to its end.
  void expect_flush(const std::string& path, std::uint64_t below_segment);
  // Something could not be read just now: that nothing was found says little.
  bool trouble() const;
  void release_memory();
  std::vector<std::string> take_warnings();

 private:
  struct Source {
    Origin origin;
    std::unique_ptr<LogSource> log;
    Tally dropped;     // By rules, in this batch.
    bool dry = false;  // Nothing was left: not asked again for this batch.
  };
  struct Draft {
    Sink::Group group = 0;
    std::string bytes;
    std::vector<Item> items;
  };
  void take(std::uint32_t source, const MultilineJoiner::Line& line);
  void encode(Event& event, std::uint32_t source);
  Draft& draft_for(Sink::Group group, std::size_t bytes);
  void tell_suppressed();
  RunInfo run_of(StreamId stream);

  const BatcherParts parts_;
  std::deque<Source> sources_;  // Sinks know an Origin by its address.
  std::vector<Draft> drafts_;   // Of the batch; their buffers are used again.
  std::size_t drafts_used_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint32_t lines_ = 0;
  bool full_ = false;
  JsonReader json_;
  std::string cleaned_, redacted_, piece_;
  StreamId last_stream_;
  RunInfo last_run_;
  Event last_;  // For the line about suppressed ones.
};

}  // namespace pmx::ship
