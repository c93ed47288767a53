// The data's way, on one thread of its own: pipes into rings, rings into lines, lines into
// segments.
//
// Owns:       the log thread and everything on it: pipes, rings, framers, segment writers,
//             rotators.
// Thread:     the methods may be called from control; the events are called on log and must not
//             block.
// Invariants: ring space is freed only after the record of every log that the stream feeds.
// Bounds:     1 MiB of ring and of pipe a stream; streams by kMaxStreams.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/fs.h"
#include "base/result.h"
#include "model/ids.h"
#include "model/log_spec.h"
#include "rotate/retention.h"

namespace pmx::supervisor {

inline constexpr std::size_t kMaxStreams = 8192;

// Descriptors of one stream as the keeper holds them: "pipe.<stream>", "ring.<stream>".
struct StreamFds {
  StreamId id;
  Fd pipe_read_end;  // Invalid: already at its end when it was handed over.
  Fd ring;
};

struct RunFds {
  RunSpec spec;
  std::vector<StreamFds> streams;
};

// One a log, named "intent.<log id>"; made with make_intent() before the first run that feeds the
// log.
struct IntentFd {
  LogId log;
  Fd fd;
};

// How one log is doing: for list, describe and the accounting.
struct LogStatus {
  std::string path;
  std::uint64_t captured_lines = 0;  // Since the log began: recorded + dropped.
  std::uint64_t captured_bytes = 0;
  std::uint64_t dropped_lines = 0;
  std::uint64_t waiting_bytes = 0;  // In ring and pipe, not yet recorded.
  std::uint64_t active_size_bytes = 0;
  std::uint64_t segment = 0;
  std::uint64_t redactions = 0;  // By this daemon.
  std::string trouble;           // "": none. Else one line: "disk full since 10:02:11: write …".
};

class Pipeline {
 public:
  struct Options {
    std::string home;  // Absolute.
    // The home's bound as it is set now; 0: the default. Asked on pack.
    std::function<std::uint64_t()> max_disk_bytes = [] { return 0; };
    // The first segment of a log, by its active path, that a sink still needs: retention keeps it
    // while the disk allows. Asked on log and on pack.
    std::function<std::uint64_t(const std::string&)> floor = [](const auto&) {
      return rotate::kNoFloor;
    };
  };
  struct Events {
    std::function<void(StreamId)> stream_ended;  // All its logs have its END: DROP its descriptors.
    std::function<void(RunId)> run_ended;        // All streams of the run: DROP "run.<run>".
    std::function<void(const std::string&)> notice;  // One line for pmx.log.
    // So many bytes of the log, by its active path, have just been recorded; 0: records without
    // text, such as a stream's END.
    std::function<void(const std::string&, std::uint64_t)> recorded = [](const auto&, auto) {};
    // pmx flush removed what the log had below this segment.
    std::function<void(const std::string&, std::uint64_t)> flushed = [](const auto&, auto) {};
  };

  static Result<Fd> make_ring();
  static Result<Fd> make_intent();

  // Recovery is the start path: with what the keeper held, from the very first start (nothing) on.
  // `runs_lost` tells that the keeper had nothing although the state says that workers ran.
  static Result<std::unique_ptr<Pipeline>> start(Options options, const Clock& clock,
                                                 std::vector<RunFds> runs,
                                                 std::vector<IntentFd> intents, Events events);
  virtual ~Pipeline() = default;  // Drains what is there, joins the threads.

  virtual void add_run(RunFds run, std::vector<IntentFd> new_intents) = 0;
  // Seals the active segments of these logs and, with `remove`, deletes everything sealed (pmx
  // flush). Answers on the log thread when done.
  enum class Rotate { kSeal, kFlush };
  virtual void rotate(std::vector<std::string> paths, Rotate how,
                      std::function<void(Result<void>)> done) = 0;
  // The keeper has been told to drop the stream's descriptors: until then rotations carry its tail
  // along.
  virtual void stream_dropped(StreamId) {}
  virtual void floor_moved(const std::string& path) = 0;  // Retention may remove more of the log.
  virtual void max_disk_changed() = 0;  // Options::max_disk_bytes says something else now.
  virtual void reopen() = 0;            // reloadLogs: look at once whether files were moved.
  virtual std::vector<LogStatus> status() const = 0;  // A copy; any thread.
  // Waits until what the run has printed so far is recorded, or its streams have ended, or
  // `deadline` passes.
  virtual void drained(RunId run, std::chrono::milliseconds deadline,
                       std::function<void()> done) = 0;
  // Answers on the log thread once the files of every run added so far have been opened, or cannot
  // be.
  virtual void opened(std::function<void()> done) = 0;
  virtual std::uint64_t wakeups() const = 0;
};

}  // namespace pmx::supervisor
