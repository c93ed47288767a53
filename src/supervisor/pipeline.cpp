// Where the stages meet. One round of the log thread is:
//
//   pipes that are readable -> rings                 milestone: the memfd's offset (kept by the keeper)
//   rings -> lines -> segments, log by log           milestone: the index record
//   rings freed, full ones read again
//   a nap of 0.5 ms where lines trickle in fast: without it a line-at-a-time writer costs 3x the CPU
//
// Nothing goes back but two numbers: `consumed` frees a ring, `recorded` is what readers and shippers see.
#include "supervisor/pipeline.h"

#include <time.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <thread>
#include <unordered_map>

#include "base/check.h"
#include "base/crash_point.h"
#include "base/event_loop.h"
#include "base/guarded.h"
#include "base/sys.h"
#include "rotate/home_disk.h"
#include "rotate/packer.h"
#include "supervisor/log.h"
#include "supervisor/stream.h"

namespace pmx::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kPartialQuiet = milliseconds(200);   // A half line is shown after this much silence.
constexpr auto kRingIdle = std::chrono::seconds(1);
constexpr auto kNap = std::chrono::microseconds(500);
constexpr auto kBusyWithin = milliseconds(3);       // Since the last nap: more often than this is busy.
constexpr std::uint64_t kNapBelowBytes = capture::Ring::kCapacityBytes / 4;
constexpr auto kLongestRetry = milliseconds(500);
constexpr auto kWaitForSpace = std::chrono::seconds(10);  // Then the newest lines are dropped, where the app says so.
constexpr std::size_t kMostPipeBytes = 1U << 20U;
constexpr std::size_t kAllPipesBytes = 48U << 20U;  // Of an unprivileged user's 64 MiB.

class PipelineThread final : public Pipeline, public rotate::RawBytes {
 public:
  PipelineThread(Options options, const Clock& clock, Events events) : options_(std::move(options)), clock_(clock), events_(std::move(events)) {}
  ~PipelineThread() override;

  Result<void> start(std::vector<RunFds> runs, std::vector<IntentFd> intents);

  void add_run(RunFds run, std::vector<IntentFd> new_intents) override;
  void rotate(std::vector<std::string> paths, Rotate how, std::function<void(Result<void>)> done) override;
  void stream_dropped(StreamId stream) override;
  void reopen() override;
  std::vector<LogStatus> status() const override;
  void drained(RunId run, milliseconds deadline, std::function<void()> done) override;
  std::uint64_t wakeups() const override { return loop_->wakeups(); }

 private:
  struct Waiter {
    RunId run;
    std::function<void()> done;
    EventLoop::TimerId timer = 0;
  };

  std::string_view raw_bytes(StreamId stream, std::uint64_t from, std::uint64_t size_bytes) override;
  Result<void> recover(std::vector<RunFds> runs, std::vector<IntentFd> intents);
  void take_intents(std::vector<IntentFd> intents);
  Result<Log*> log_for(const LogSpec& spec);
  void begin(RunFds run, bool fresh);

  void drain(Stream& stream);
  void after_round();
  void commit(Log& log);
  void queue(Log& log);
  void queue_logs_of(Stream& stream);
  void look_after(Stream& stream);
  void watch(Stream& stream, bool on);
  void end_of(Stream& stream);
  void fail(Log& log, Error error);
  void hand_to_packer(Log& log);
  void scan(const rotate::LogDir& dir, const RotatePolicy& policy, const std::optional<FileOwner>& owner);
  void keep_within_disk();
  void plan_rotation(Log& log);
  void fit_pipes();
  void answer_waiters();
  bool is_drained(RunId run) const;
  void nap_if_busy();

  Options options_;
  const Clock& clock_;
  Events events_;
  RealFs state_;  // Without an owner: as ourselves.
  Guarded<std::map<std::string, std::optional<FileOwner>>> owners_;  // By active path, for the pack thread.
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<rotate::Packer> packer_;
  std::map<LogId, Fd> intents_;
  std::unordered_map<StreamId, std::unique_ptr<Stream>> streams_;
  std::map<std::string, std::unique_ptr<Log>> logs_;
  std::map<std::string, EventLoop::TimerId> rotation_timers_;
  std::vector<Log*> queued_;
  std::vector<Stream*> drained_;  // In this round.
  std::vector<Waiter> waiters_;
  std::uint64_t round_bytes_ = 0;
  bool round_again_ = false;
  steady_clock::time_point last_nap_{};
  std::size_t pipe_size_bytes_ = kMostPipeBytes;
  mutable Guarded<std::vector<std::shared_ptr<LogCounters>>> counters_;
  std::thread thread_;
};

PipelineThread::~PipelineThread() {
  if (thread_.joinable()) {
    loop_->stop();
    thread_.join();
  }
  if (packer_) packer_->stop();
}

std::string_view PipelineThread::raw_bytes(StreamId stream, std::uint64_t from, std::uint64_t size_bytes) {
  const auto found = streams_.find(stream);
  PMX_CHECK(found != streams_.end());
  return found->second->ring->bytes(from, size_bytes);
}

// ---- Start: what the keeper held, or nothing -----------------------------------------------------

Result<void> PipelineThread::start(std::vector<RunFds> runs, std::vector<IntentFd> intents) {
  loop_ = PMX_TRY(EventLoop::create());
  packer_ = PMX_TRY(rotate::Packer::start(state_, clock_, {.notice = events_.notice, .finished = [this](const auto&) { keep_within_disk(); }}));
  loop_->after_each_round([this] { after_round(); });
  PMX_TRY(recover(std::move(runs), std::move(intents)));
  thread_ = std::thread([this] { loop_->run(); });
  return {};
}

Result<void> PipelineThread::recover(std::vector<RunFds> runs, std::vector<IntentFd> intents) {
  take_intents(std::move(intents));
  for (RunFds& run : runs) begin(std::move(run), false);
  loop_->post([] { crash_point(CrashPoint::kRecovered); });  // The first round commits what waits.
  return {};
}

// What an earlier daemon left sealed and not packed; everything below the newest index is sealed.
void PipelineThread::scan(const rotate::LogDir& dir, const RotatePolicy& policy, const std::optional<FileOwner>& owner) {
  const auto segments = dir.index_segments(state_);
  if (segments && segments->size() > 1) (void)packer_->scan({dir, segments->back() - 1, policy, owner});
}

// On the pack thread, after each job: the bound of the whole home, deleted apps' logs included.
void PipelineThread::keep_within_disk() {
  const auto known = rotate::known_logs(state_, options_.home + "/state");
  if (!known) return;
  const auto owners = owners_.get();
  std::deque<RealFs> files;  // One for each log: with its owner's rights.
  std::vector<rotate::HomeLog> logs;
  for (const rotate::LogDir& dir : *known) {
    const auto owner = owners.find(dir.active_path());
    files.emplace_back(owner == owners.end() ? std::nullopt : owner->second);
    logs.push_back({dir, &files.back()});
  }
  const auto kept = rotate::enforce_max_disk(state_, options_.home + "/state", logs, {.max_disk_bytes = options_.max_disk_bytes});
  if (!kept) return events_.notice("max_disk: " + kept.error().message());
  for (const rotate::RemovedSegment& removed : kept->removed)
    events_.notice(removed.active_path + ": segment " + std::to_string(removed.segment) + " removed: the logs of this home take more than max_disk");
}

void PipelineThread::take_intents(std::vector<IntentFd> intents) {
  for (IntentFd& intent : intents) intents_.insert_or_assign(intent.log, std::move(intent.fd));
}

Result<Log*> PipelineThread::log_for(const LogSpec& spec) {
  if (const auto found = logs_.find(spec.path); found != logs_.end()) {
    found->second->adopt(spec);
    plan_rotation(*found->second);
    return found->second.get();
  }
  const auto intent = intents_.find(log_id_of(spec.path));
  if (intent == intents_.end()) return corrupt("no intent page for " + spec.path);
  auto page = PMX_TRY(rotate::IntentPage::map(intent->second));
  auto log = std::make_unique<Log>(spec, options_.home + "/state", std::move(page), clock_, *this);
  counters_.with([&](auto& all) { all.push_back(log->counters()); });
  Log* raw = log.get();
  logs_.emplace(spec.path, std::move(log));
  owners_.with([&](auto& owners) { owners[spec.path] = spec.owner; });
  scan(raw->writer().dir(), spec.rotate, spec.owner);
  plan_rotation(*raw);
  return raw;
}

// A fresh ring begins at 0. One that the keeper held is opened by its logs, which know its tail.
void PipelineThread::begin(RunFds run, bool fresh) {
  for (StreamFds& fds : run.streams) {
    const auto spec = std::find_if(run.spec.streams.begin(), run.spec.streams.end(), [&](const StreamSpec& s) { return s.id == fds.id; });
    if (spec == run.spec.streams.end() || streams_.contains(fds.id)) continue;
    auto owned = std::make_unique<Stream>();
    Stream& stream = *owned;
    stream.spec = *spec;
    stream.run = run.spec.run;
    stream.worker = run.spec.worker;
    stream.ring_memfd = std::move(fds.ring);
    if (fds.pipe_read_end) stream.pipe.emplace(std::move(fds.pipe_read_end));
    streams_.emplace(spec->id, std::move(owned));
    if (fresh || spec->logs.empty()) {
      auto ring = capture::Ring::open(std::move(stream.ring_memfd), 0);
      if (!ring) {
        events_.notice("stream of " + run.spec.app_name + ": " + ring.error().message());
        continue;
      }
      stream.ring = std::move(ring).value();
    }
    for (const LogSpec& log_spec : spec->logs) {
      auto log = log_for(log_spec);
      if (log)
        (*log)->feed(stream);
      else
        events_.notice(log_spec.path + ": " + log.error().message());
    }
    queue_logs_of(stream);
    if (stream.ring) watch(stream, true);
    if (stream.ring && stream.at_end()) drained_.push_back(&stream);
  }
  fit_pipes();
}

// ---- The data's way ------------------------------------------------------------------------------

void PipelineThread::drain(Stream& stream) {
  auto drained = stream.pipe->drain(*stream.ring);  // The memfd's offset has moved: the bytes are ours.
  if (!drained) {
    events_.notice("pipe of stream " + std::to_string(stream.spec.id.value) + ": " + drained.error().message());
    watch(stream, false);
    return;
  }
  round_bytes_ += drained->bytes;
  round_again_ = round_again_ || drained->again;
  stream.over_half_full = drained->over_half_full;
  if (drained->bytes > 0) stream.flush_partial = false;
  if (drained->end) {
    crash_point(CrashPoint::kEndSeen);
    watch(stream, false);
    stream.pipe.reset();
  } else if (drained->ring_full) {
    watch(stream, false);  // The pipe holds the rest; the next record gives room.
  }
  drained_.push_back(&stream);
  queue_logs_of(stream);
}

void PipelineThread::queue_logs_of(Stream& stream) {
  for (Log* log : stream.logs) queue(*log);
}

void PipelineThread::queue(Log& log) {
  if (log.queued) return;
  log.queued = true;
  queued_.push_back(&log);
}

void PipelineThread::after_round() {
  for (const std::vector<Log*> logs = std::exchange(queued_, {}); Log* log : logs) {
    log->queued = false;
    commit(*log);
  }
  for (const std::vector<Stream*> streams = std::exchange(drained_, {}); Stream* stream : streams) look_after(*stream);
  answer_waiters();
  nap_if_busy();
}

void PipelineThread::commit(Log& log) {
  if (log.trouble() && steady_clock::now() < log.trouble()->next_try) return;  // Its timer will queue it.
  const auto committed = log.commit();
  for (const std::string& line : log.writer().take_notices()) events_.notice(line);
  hand_to_packer(log);
  for (Stream* stream : log.take_touched()) drained_.push_back(stream);
  if (!committed) return fail(log, committed.error());
  if (!log.trouble()) return;
  log.trouble().reset();
  log.counters()->trouble.set("");
  events_.notice(log.spec().path + ": written again");
}
void PipelineThread::fail(Log& log, Error error) {
  const auto now = steady_clock::now();
  const bool error_is_full = error.code() == Errc::kNoSpace;
  if (!log.trouble()) {
    log.counters()->trouble.set(error.message());
    events_.notice(error.message() + ": lines wait in memory, trying again");
    log.trouble() = Log::Trouble{std::move(error), now, now};
  }
  Log::Trouble& trouble = *log.trouble();
  if (error_is_full && log.make_room()) trouble.delay = milliseconds(1);
  if (error_is_full && log.spec().when_full == WhenFull::kDrop && now - trouble.since > kWaitForSpace) (void)log.drop_newest();
  trouble.next_try = now + trouble.delay;
  loop_->call_at(trouble.next_try, [this, path = log.spec().path] {
    if (const auto found = logs_.find(path); found != logs_.end()) queue(*found->second);
  });
  trouble.delay = std::min(std::max(trouble.delay * 2, milliseconds(20)), milliseconds(kLongestRetry));
}

// What a stream needs after its logs have moved on.
void PipelineThread::look_after(Stream& stream) {
  if (!stream.ring) return;
  if (stream.logs.empty() && stream.waits()) stream.ring->consume(stream.ring->head());  // disable_logs, /dev/null.
  if (stream.at_end()) return end_of(stream);
  if (!stream.watched && stream.ring->free_bytes() > 0) watch(stream, true);
  const StreamId id = stream.spec.id;
  const std::uint64_t head = stream.ring->head();
  if (stream.waits() && !stream.flush_partial && !stream.partial_timer) {
    stream.partial_timer = true;
    loop_->call_after(kPartialQuiet, [this, id, head] {
      const auto found = streams_.find(id);
      if (found == streams_.end()) return;
      found->second->partial_timer = false;
      found->second->flush_partial = found->second->ring->head() == head;  // Quiet since then.
      queue_logs_of(*found->second);
      drained_.push_back(found->second.get());
    });
  }
  if (!stream.waits() && !stream.idle_timer && head - stream.given_back_at > capture::Ring::kGiveBackBytes) {
    stream.idle_timer = true;
    loop_->call_after(kRingIdle, [this, id, head] {
      const auto found = streams_.find(id);
      if (found == streams_.end()) return;
      Stream& idle = *found->second;
      idle.idle_timer = false;
      if (idle.ring->head() == head && idle.ring->give_back_pages()) idle.given_back_at = head;
      drained_.push_back(&idle);
    });
  }
}

void PipelineThread::watch(Stream& stream, bool on) {
  if (!stream.pipe || stream.watched == on) return;
  if (on) {
    const auto watched = loop_->watch(stream.pipe->fd(), [this, &stream] { drain(stream); });
    if (!watched) return events_.notice("cannot watch a pipe: " + watched.error().message());
  } else {
    loop_->unwatch(stream.pipe->fd());
  }
  stream.watched = on;
}

void PipelineThread::end_of(Stream& stream) {
  const bool ended = std::all_of(stream.logs.begin(), stream.logs.end(), [&](const Log* log) { return log->has_ended(stream); });
  if (!ended || stream.reported) return;
  stream.reported = true;
  events_.stream_ended(stream.spec.id);
  const bool others = std::any_of(streams_.begin(), streams_.end(), [&](const auto& entry) { return entry.second->run == stream.run && !entry.second->reported; });
  if (!others) events_.run_ended(stream.run);
}

void PipelineThread::hand_to_packer(Log& log) {
  for (const rotate::SealedSegment& sealed : log.writer().take_sealed())
    (void)packer_->post({log.writer().dir(), sealed.segment, log.spec().rotate, log.spec().owner});  // Full: the next job covers it.
}

void PipelineThread::plan_rotation(Log& log) {
  const std::string path = log.spec().path;
  if (const auto old = rotation_timers_.find(path); old != rotation_timers_.end()) {
    loop_->cancel(old->second);
    rotation_timers_.erase(old);
  }
  if (!log.next_rotation_ns()) return;
  // By the wall clock, looked at again at least each hour: the clock may be set meanwhile.
  const auto left = std::chrono::nanoseconds(std::max<std::int64_t>(*log.next_rotation_ns() - clock_.system_ns(), 0));
  rotation_timers_[path] = loop_->call_after(std::min<std::chrono::nanoseconds>(left, std::chrono::hours(1)), [this, path] {
    const auto found = logs_.find(path);
    if (found == logs_.end()) return;
    if (found->second->next_rotation_ns() && clock_.system_ns() >= *found->second->next_rotation_ns()) {
      const auto rotated = found->second->rotate();
      if (!rotated) fail(*found->second, rotated.error());
      hand_to_packer(*found->second);
    }
    plan_rotation(*found->second);
  });
}

// All pipes together stay within an unprivileged user's budget: beyond it even other programs' pipes shrink.
void PipelineThread::fit_pipes() {
  std::size_t size = kMostPipeBytes;
  while (size > 4096 && size * streams_.size() > kAllPipesBytes) size /= 2;
  if (size >= pipe_size_bytes_) return;
  pipe_size_bytes_ = size;
  for (const auto& [id, stream] : streams_)
    if (stream->pipe) stream->pipe->resize(size);
}

bool PipelineThread::is_drained(RunId run) const {
  return std::all_of(streams_.begin(), streams_.end(), [run](const auto& entry) {
    const Stream& stream = *entry.second;
    return stream.run != run || stream.reported || (stream.ring && !stream.waits() && (!stream.pipe || stream.pipe->waiting_bytes() == 0));
  });
}

void PipelineThread::answer_waiters() {
  for (std::size_t i = 0; i < waiters_.size();) {
    if (!is_drained(waiters_[i].run)) {
      ++i;
      continue;
    }
    loop_->cancel(waiters_[i].timer);
    const auto done = std::move(waiters_[i].done);
    waiters_.erase(waiters_.begin() + static_cast<std::ptrdiff_t>(i));
    done();
  }
}

// Coalesces a line-at-a-time writer's lines. The first line after a pause never waits.
void PipelineThread::nap_if_busy() {
  const auto now = steady_clock::now();
  const bool trickle = round_bytes_ > 0 && round_bytes_ < kNapBelowBytes && !round_again_;
  const bool busy = now - last_nap_ < kBusyWithin;
  if (round_bytes_ > 0) last_nap_ = now;
  round_bytes_ = 0;
  round_again_ = false;
  if (!trickle || !busy) return;
  const timespec nap{0, std::chrono::nanoseconds(kNap).count()};
  ::nanosleep(&nap, nullptr);
  last_nap_ = steady_clock::now();
}

// ---- From other threads --------------------------------------------------------------------------

void PipelineThread::add_run(RunFds run, std::vector<IntentFd> new_intents) {
  auto both = std::make_shared<std::pair<RunFds, std::vector<IntentFd>>>(std::move(run), std::move(new_intents));
  loop_->post([this, both] {
    take_intents(std::move(both->second));
    begin(std::move(both->first), true);
  });
}

void PipelineThread::stream_dropped(StreamId id) {
  loop_->post([this, id] {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    watch(*found->second, false);
    for (Log* log : found->second->logs) log->release(*found->second);
    std::erase(drained_, found->second.get());
    streams_.erase(found);
  });
}

void PipelineThread::rotate(std::vector<std::string> paths, Rotate how, std::function<void(Result<void>)> done) {
  loop_->post([this, paths = std::move(paths), how, done = std::move(done)] {
    Result<void> outcome;
    for (const std::string& path : paths) {
      const auto found = logs_.find(path);
      if (found == logs_.end()) continue;
      Log& log = *found->second;
      const Result<void> rotated = how == Rotate::kSeal ? log.rotate() : log.flush();
      for (const std::string& line : log.writer().take_notices()) events_.notice(line);
      if (rotated)
        hand_to_packer(log);
      else
        outcome = rotated;
    }
    done(outcome);
  });
}

void PipelineThread::reopen() {
  loop_->post([this] {
    for (const auto& [path, log] : logs_) {
      const auto looked = log->look();
      for (const std::string& line : log->writer().take_notices()) events_.notice(line);
      if (!looked) fail(*log, looked.error());
    }
  });
}

std::vector<LogStatus> PipelineThread::status() const {
  std::vector<LogStatus> all;
  for (const auto& counters : counters_.get())
    all.push_back({counters->path, counters->captured_lines, counters->captured_bytes, counters->dropped_lines, counters->waiting_bytes,
                   counters->active_size_bytes, counters->segment, counters->trouble.get()});
  return all;
}

void PipelineThread::drained(RunId run, milliseconds deadline, std::function<void()> done) {
  loop_->post([this, run, deadline, done = std::move(done)]() mutable {
    const auto timer = loop_->call_after(deadline, [this, run] {
      const auto found = std::find_if(waiters_.begin(), waiters_.end(), [run](const Waiter& w) { return w.run == run; });
      if (found == waiters_.end()) return;
      const auto late = std::move(found->done);
      waiters_.erase(found);
      late();
    });
    waiters_.push_back({run, std::move(done), timer});
  });
}

}  // namespace

Result<std::unique_ptr<Pipeline>> Pipeline::start(Options options, const Clock& clock, std::vector<RunFds> runs, std::vector<IntentFd> intents,
                                                  Events events) {
  auto pipeline = std::make_unique<PipelineThread>(std::move(options), clock, std::move(events));
  PMX_TRY(pipeline->start(std::move(runs), std::move(intents)));
  return std::unique_ptr<Pipeline>(std::move(pipeline));
}

Result<Fd> Pipeline::make_ring() { return capture::Ring::make(); }
Result<Fd> Pipeline::make_intent() { return sys::memfd("pmx-intent", rotate::kIntentBytes); }

}  // namespace pmx::supervisor
