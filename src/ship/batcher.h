// Reads a lane's logs, merged by time, and makes the requests of one batch: clean, filter, redact,
// cut, encode.
//
// Of a lane with a thousand logs most are quiet: only those are looked at of which it was said that
// lines came, or that are open.
//
// Owns:       the buffers that are used again. Borrows sink, filter and redactor.
// Thread:     ship.
// Invariants: a batch's `after` is right if all its parcels are settled; nothing is read twice.
// Bounds:     SinkBatch: no parcel above max_bytes, but for one event (256 KiB) alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "model/severity.h"
#include "redact/redactor.h"
#include "ship/clean_text.h"
#include "ship/flight.h"
#include "ship/json_fields.h"
#include "ship/line_filter.h"
#include "ship/log_source.h"
#include "ship/sink.h"

namespace pmx::ship {

struct BatcherParts {
  Sink& sink;
  EventFilter& filter;
  redact::Redactor* redactor = nullptr;  // nullptr: no rules.
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
  void drop_source(const std::string& path);
  bool has_source(const std::string& path) const { return by_path_.contains(path); }
  const Origin* origin_of(LogId log) const;
  // Every source back to where `cursor` says.
  void seek(const LaneCursor& cursor);
  // The same, for as many as have read beyond it. True: lines of theirs were not given out.
  bool step_back(const LaneCursor& cursor);
  void seek_source(const std::string& path, const LogCursor& cursor);

  // Everything that is there, up to a batch. nullopt: nothing was found that changes the cursor.
  // `serial` is the batch's.
  std::optional<Batch> build(const LaneCursor& settled, std::uint64_t serial);
  bool more() const { return full_; }  // The last batch did not take all that was there.
  // When an open stack trace should be looked at again; nullopt: there is none.
  std::optional<std::chrono::nanoseconds> open_for() const;
  void lines_came(const std::string& path);  // Or segments, of this log.
  void look_at_all();                        // Some may have come anywhere.
  void set_end(const std::string& path, const std::optional<LogPosition>& end);
  bool finished() const;   // No source has anything open, or has come to its end.
  bool past_ends() const;  // Each has an end, and has come to it.
  bool finished(const std::string& path) const;  // The same of one, as far as it was read.
  void expect_flush(const std::string& path, std::uint64_t below_segment);
  // Something could not be read just now: that nothing was found says little.
  bool trouble() const;
  void release_memory();
  // The files of logs that have not been read since. True: others are open still.
  bool close_files(std::chrono::steady_clock::time_point unread_since);
  std::vector<std::string> take_warnings();

 private:
  struct Source {
    Origin origin;  // Sinks know it by its address, for as long as a batch is made.
    std::unique_ptr<LogSource> log;
    Tally dropped;        // By rules, in this batch.
    bool asleep = false;  // Nothing was left when it was last read, and nothing has come since.
    bool dry = false;     // Nothing was left: not asked again for this batch.
    std::optional<std::uint32_t> number;  // Among the batch's logs.
    std::chrono::steady_clock::time_point read_at{};
  };
  struct Draft {
    Sink::Group group = 0;
    std::string bytes;
    std::vector<Item> items;
  };
  static void wake(Source& source);
  void take(Source& from, const MultilineJoiner::Line& line);
  void encode(Event& event, Source& from);
  void read();
  void settle(Batch& batch);
  void add_item(Draft& draft, std::size_t before, const Event& event, Source& from);
  Draft& draft_for(Sink::Group group, std::size_t bytes);
  void tell_suppressed();
  RunInfo run_of(StreamId stream);

  const BatcherParts parts_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::unordered_map<std::string, Source*> by_path_;
  std::vector<Source*> touched_;   // What the batch in making may change.
  std::vector<std::string> logs_;  // Paths that its items count.
  std::vector<Draft> drafts_;      // Their buffers are used again.
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
