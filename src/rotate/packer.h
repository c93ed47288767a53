// Compresses sealed segments and applies retention, in the background.
//
// A job says "all of this log up to that segment", and the directory says what is to be done: a job
// that is repeated, or cut short by a crash, is only a listing. For each plain sealed file, oldest
// first: pack it, remove the plain file, remove its index (the archive carries it); then retire().
// Where packing falls behind, retire() comes before each segment too. A flush removes all there is.
//
// Owns:       the pack thread (nice 10, SCHED_BATCH) and its event loop; no wakeups without a job.
// Thread:     post(), scan() and stop() from any thread; events are called on pack and must not
// block. Errors:     none leave it. A job that fails is tried again after 1 s, 2 s … 60 s, and
// others go on
//             meanwhile; a notice says so once, and once more when it works again.
// Bounds:     one waiting job a log, and kMaxPosted jobs on their way to the thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/fs.h"
#include "base/result.h"
#include "model/log_spec.h"
#include "rotate/log_dir.h"
#include "rotate/retention.h"

namespace pmx::rotate {

namespace internal {
class PackQueue;
struct PackEntry;
}  // namespace internal

struct PackJob {
  LogDir dir;
  std::uint64_t segment = 0;  // The newest that may be packed: its successor is open.
  RotatePolicy policy;        // compress kNone: only retention.
  std::optional<FileOwner> owner;
  std::uint64_t floor_segment = kNoFloor;
  // Sealed segments below this are removed and not packed; `flushed` is called on pack when they
  // are.
  std::uint64_t flush_below = 0;
  std::function<void(const Result<void>&)> flushed = {};
};

// What a job has done so far.
struct PackReport {
  std::string active_path;
  std::uint64_t segments_packed = 0;
  RetentionResult retired;
};

class Packer {
 public:
  struct Options {
    // Files of logs are opened through this; each call on the pack thread.
    std::function<std::unique_ptr<Fs>(const std::optional<FileOwner>&)> files =
        [](const auto& owner) { return std::make_unique<RealFs>(owner); };
    std::chrono::milliseconds first_retry{1000}, last_retry{60'000};
  };
  struct Events {
    std::function<void(const std::string&)> notice;  // One line for pmx.log.
    // After each retire(): every job's last step, and in between where packing fails or is behind.
    std::function<void(const PackReport&)> retired;
    // Behind retire()s, once for those that come together: when no job is due, and each
    // kSettleAfter while jobs are.
    std::function<void()> settled = {};
  };
  static constexpr unsigned kMaxPosted = 4096;
  static constexpr std::chrono::milliseconds kSettleAfter{250};

  // `state` and `clock` outlive the packer.
  static Result<std::unique_ptr<Packer>> start(Fs& state, const Clock& clock, Events events,
                                               Options options);
  static Result<std::unique_ptr<Packer>> start(Fs& state, const Clock& clock, Events events) {
    return start(state, clock, std::move(events), Options());
  }
  ~Packer();
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  // False: too many are on their way. Nothing is lost: the log's next job covers this one.
  bool post(PackJob job);
  // The same at start, after recovery: half archives of an earlier daemon go first.
  bool scan(PackJob job);
  void run(std::function<void()> task);  // On pack, when what it is at is done.
  void stop();  // After the frame that is being packed. A half archive is left to the next scan().

 private:
  Packer(Fs& state, const Clock& clock, Events events, Options options);
  bool enqueue(PackJob job, bool remove_half_archives);
  void enter_thread();
  void wake_when_due();
  void work_on_next();
  Result<bool> work_on(internal::PackEntry& entry);
  Result<void> retire_now(const internal::PackEntry& entry, Fs& files);
  void conclude(internal::PackEntry& entry, const Result<bool>& more);
  void settle();
  void fail(internal::PackEntry& entry, const Error& error);
  void notice(const std::string& line) const;

  Fs& state_;
  const Clock& clock_;
  const Events events_;
  const Options options_;
  std::unique_ptr<internal::PackQueue> queue_;                            // Of the pack thread.
  EventLoop::TimerId timer_ = 0;                                          // Of the pack thread.
  std::optional<std::chrono::steady_clock::time_point> unsettled_since_;  // Of the pack thread.
  std::atomic<unsigned> posted_ = 0;
  std::atomic<bool> stopping_ = false;
  std::unique_ptr<EventLoop> loop_;
  std::thread thread_;
};

}  // namespace pmx::rotate
