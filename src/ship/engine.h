// All shipping of one home, on a thread of its own: sinks, their lanes, and what others need to
// know of them.
//
// A log's lines are on the disk before a word of them is sent, so that a store that is down costs
// nothing but disk, and the engine may die at any instruction: it goes on at the cursors.
//
// Owns:       the ship thread and everything on it.
// Thread:     the methods may be called from any thread, configure() from control only; `done` and
//             notice are called on ship and must not block.
// Invariants: a segment that a sink needs is at or above floor_segment() of its log.
// Errors:     a sink that cannot be made (a pattern, a certificate) is in status() with its reason,
//             and its logs are kept.
// Bounds:     ConcurrencyLimit batches a sink in memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/fs.h"
#include "base/guarded.h"
#include "base/json.h"
#include "base/result.h"
#include "base/timers.h"
#include "ship/lane_file.h"
#include "ship/sink.h"

namespace pmx::ship {

class Lane;
class SinkRunner;

// One app's wish: these logs to that sink.
struct Shipment {
  SinkContext sink;
  Origin origin;  // Without `log`.
  struct Log {
    std::string path;
    std::optional<FileOwner> owner;
  };
  std::vector<Log> logs;
};

class ShipEngine {
 public:
  struct Options {
    std::string home;  // Absolute.
  };
  struct Parts {
    const Clock& clock;
    std::function<Severity(std::string_view)> severity_of;
    std::function<void(const std::string&)> notice;
    std::function<void(const std::string& path)> floor_moved;  // Retention may look again.
    // Called on ship, to be taken up on control: forget_lane(base), forget_log(base, path);
    // configure() once more, as a sink could not be made or its store refuses us.
    std::function<void(const std::string& base)> lane_ended;
    std::function<void(const std::string& base, const std::string& path)> log_ended;
    std::function<void()> look_again;
    // How a sink is kept for a daemon that finds lines for it and no app that names it.
    std::function<Json(const SinkSpec&)> sink_to_json;
    std::function<Result<SinkSpec>(const Json&)> sink_from_json;
    std::function<std::string(const SinkSpec&)> secret_of;
    // The network, unless tests say otherwise.
    std::function<Result<std::unique_ptr<HttpTransport>>(EventLoop&, Fs&, const SinkSpec&)>
        transport;
  };
  using Answer = std::function<void(Result<Json>)>;

  static Result<std::unique_ptr<ShipEngine>> start(Options options, Parts parts);
  ~ShipEngine();

  // Everything that is to be shipped from now on; what is missing is shipped to its end. Returns
  // when it is on disk: lines printed after it are shipped, whatever happens.
  // An app of `listed` that ships no more to a sink ends there now; one that is gone, with its last
  // line.
  Result<void> configure(const std::vector<Shipment>& shipments,
                         const std::set<std::string>& listed = {});
  void forget_lane(const std::string& base);
  void forget_log(const std::string& base, const std::string& path);
  // From the log thread, for each batch: cheap where nobody waits for the log.
  void recorded(const std::string& path, std::uint64_t bytes);
  void run_known(RunId run, RunInfo info);
  void flushed(const std::string& path, std::uint64_t below_segment);

  std::uint64_t floor_segment(const std::string& path) const;  // rotate::kNoFloor: nobody ships it.

  // `numbers`: of each log, by its active path, the number of the line that is captured next.
  void status(std::map<std::string, std::uint64_t> numbers, Answer done);
  void test(SinkContext sink, std::string host, Answer done);
  // Sends what there is without waiting for more; answers when nothing is left, or at the deadline.
  void drain(std::chrono::milliseconds deadline, std::function<void()> done);
  // By name or id. Holds over restarts and changes of the sink, until it is resumed or gone.
  void pause(std::string sink, bool on, Answer done);
  void retry(std::string sink, Answer done);

 private:
  struct Bell {
    std::atomic<std::uint64_t> bytes = 0;
    std::atomic<bool> rung = false;
  };
  struct Wanted {
    SinkContext sink;
    std::vector<std::pair<std::string, LaneFile>> lanes;  // By base.
  };
  struct Picture {
    std::uint64_t number = 0;
    std::map<std::string, Wanted> sinks;  // By id.
    Floors unreadable;                    // What lanes need whose files cannot be read.
    bool unknown = false;                 // There is one of which nobody can say that.
  };
  struct Published {
    Floors floors;
    Floors pending;  // Of a picture that the ship thread has not seen yet.
    std::uint64_t picture = 0;
    bool unknown = false;  // What lanes need could not be read: everything is kept.
  };
  struct TestJob;

  ShipEngine(Options options, Parts parts);
  void load_floors();
  Result<void> write_lane(const Shipment& shipment, Picture& picture);
  void hang_bells(const Picture& picture);
  Result<void> write_leftovers(const std::vector<KnownLane>& known,
                               const std::set<std::string>& listed, Picture& picture);
  Result<void> end_lane(LaneFile& file, const std::set<std::string>& listed) const;
  void add_floors(const std::string& base, const LaneFile& file, Floors& floors) const;
  bool add_unreadable(const std::string& base, Floors& floors) const;
  Result<void> write_sink(const std::string& directory, const SinkSpec& spec);
  Result<SinkSpec> sink_of(const std::string& directory) const;
  Result<LogCursor> end_of(const Shipment::Log& log) const;
  void apply(const Picture& picture);
  void look_again_later();
  void make_runner(const std::string& id, const SinkContext& sink, bool name_is_shared);
  void publish_floors();
  void wait_until_drained(std::chrono::steady_clock::time_point deadline,
                          std::function<void()> done);
  void lines_read(const Lane& lane);
  Result<std::string> find(const std::string& name) const;
  Result<SinkRunner*> find_runner(const std::string& name) const;
  std::map<std::string, std::string> given_names() const;
  void name_sinks();
  std::string pause_path(const std::string& id) const;
  Result<void> keep_pause(const std::string& id, bool on);
  void forget_sink(const std::string& id);
  Fs& files_of(const std::optional<FileOwner>& owner);
  RunInfo run_of(StreamId stream) const;

  const Options options_;
  const Parts parts_;
  mutable RealFs state_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<LoopTimers> timers_;
  std::map<std::string, std::unique_ptr<SinkRunner>> runners_;  // By sink id.
  struct Broken {
    std::string name, why;  // Of its spec; why it cannot be made.
  };
  std::map<std::string, Broken> broken_;      // By sink id.
  std::map<std::string, std::string> names_;  // By sink id: by which people know it.
  std::map<std::pair<uid_t, gid_t>, std::unique_ptr<Fs>> files_;
  std::unordered_map<std::uint64_t, RunInfo> runs_;
  Guarded<std::unordered_map<std::string, std::shared_ptr<Bell>>> bells_;
  Floors held_;  // What lanes need whose sink cannot be made, or whose files cannot be read.
  Guarded<Published> published_;
  std::uint64_t pictures_ = 0;  // Of control.
  LoopTimers::Id look_again_timer_ = 0;
  std::thread thread_;
};

}  // namespace pmx::ship
