// What control asks of the log thread: each call is posted and answered there.
#include <algorithm>

#include "base/sys.h"
#include "supervisor/pipeline_thread.h"

namespace pmx::supervisor {
namespace {

using std::chrono::milliseconds;

}  // namespace

PipelineThread::~PipelineThread() {
  if (thread_.joinable()) {
    loop_->stop();
    thread_.join();
  }
  if (packer_) packer_->stop();
}

void PipelineThread::add_run(RunFds run, std::vector<IntentFd> new_intents) {
  auto both = std::make_shared<std::pair<RunFds, std::vector<IntentFd>>>(std::move(run),
                                                                         std::move(new_intents));
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

void PipelineThread::rotate(std::vector<std::string> paths, Rotate how,
                            std::function<void(Result<void>)> done) {
  loop_->post([this, paths = std::move(paths), how, done = std::move(done)] {
    // Answers once: when the last log has answered, with the last error.
    struct Answer {
      std::size_t open;
      Result<void> outcome;
    };
    auto answer = std::make_shared<Guarded<Answer>>();
    answer->with([&](Answer& a) { a.open = paths.size() + 1; });
    const auto one_done = [answer, done](const Result<void>& result) {
      const bool last = answer->with([&](Answer& a) {
        if (!result) a.outcome = result;
        return --a.open == 0;
      });
      if (last) done(answer->get().outcome);
    };
    for (const std::string& path : paths) rotate_one(path, how, one_done);
    one_done({});
  });
}

void PipelineThread::rotate_one(const std::string& path, Rotate how,
                                const std::function<void(const Result<void>&)>& done) {
  const auto found = logs_.find(path);
  if (found == logs_.end()) return done({});
  Log& log = *found->second;
  const auto rotated = log.rotate();
  for (const std::string& line : log.writer().take_notices()) events_.notice(line);
  if (!rotated) {
    tell_recorded(log);
    return done(rotated);
  }
  if (how == Rotate::kSeal) {
    tell_recorded(log);
    hand_to_packer(log);
    return done({});
  }
  // The pack thread removes them: it may be packing one of them just now.
  (void)log.writer().take_sealed();
  const std::uint64_t below = log.writer().index().segment();
  events_.flushed(path, below);
  tell_recorded(log);  // Behind it: what readers miss from now on was flushed.
  const bool posted = packer_->post({.dir = log.writer().dir(),
                                     .segment = below - 1,
                                     .policy = log.spec().rotate,
                                     .owner = log.spec().owner,
                                     .floor_segment = options_.floor(path),
                                     .flush_below = below,
                                     .flushed = done});
  if (!posted)
    done(Error(Errc::kUnavailable, path + ": too much is waiting to be packed, try again"));
}

void PipelineThread::floor_moved(const std::string& path) {
  loop_->post([this, path] {
    const auto found = logs_.find(path);
    if (found == logs_.end() || found->second->writer().index().segment() == 0) return;
    Log& log = *found->second;
    (void)packer_->post({.dir = log.writer().dir(),
                         .segment = log.writer().index().segment() - 1,
                         .policy = log.spec().rotate,
                         .owner = log.spec().owner,
                         .floor_segment = options_.floor(path)});
  });
}

void PipelineThread::max_disk_changed() {
  packer_->run([this] { keep_within_disk(); });
}

void PipelineThread::reopen() {
  loop_->post([this] {
    for (const auto& [path, log] : logs_) {
      const auto looked = log->look();
      tell_recorded(*log);
      for (const std::string& line : log->writer().take_notices()) events_.notice(line);
      if (!looked) fail(*log, looked.error());
    }
  });
}

std::vector<LogStatus> PipelineThread::status() const {
  std::vector<LogStatus> all;
  for (const auto& counters : counters_.get())
    all.push_back({counters->path, counters->captured_lines, counters->captured_bytes,
                   counters->dropped_lines, counters->waiting_bytes, counters->active_size_bytes,
                   counters->segment, counters->redactions, counters->trouble.get()});
  return all;
}

void PipelineThread::drained(RunId run, milliseconds deadline, std::function<void()> done) {
  loop_->post([this, run, deadline, done = std::move(done)]() mutable {
    const auto timer = loop_->call_after(deadline, [this, run] {
      const auto found = std::find_if(waiters_.begin(), waiters_.end(),
                                      [run](const Waiter& w) { return w.run == run; });
      if (found == waiters_.end()) return;
      const auto late = std::move(found->done);
      waiters_.erase(found);
      late();
    });
    waiters_.push_back({run, std::move(done), timer});
  });
}

// Files are opened by a log's first commit, at the end of the round that a run begins in.
void PipelineThread::opened(std::function<void()> done) {
  loop_->post([this, done = std::move(done)]() mutable { loop_->post(std::move(done)); });
}

bool PipelineThread::is_drained(RunId run) const {
  return std::all_of(streams_.begin(), streams_.end(), [run](const auto& entry) {
    const Stream& stream = *entry.second;
    return stream.run != run || stream.reported ||
           (stream.ring && !stream.waits() && (!stream.pipe || stream.pipe->waiting_bytes() == 0));
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

Result<std::unique_ptr<Pipeline>> Pipeline::start(Options options, const Clock& clock,
                                                  std::vector<RunFds> runs,
                                                  std::vector<IntentFd> intents, Events events) {
  auto pipeline = std::make_unique<PipelineThread>(std::move(options), clock, std::move(events));
  PMX_TRY(pipeline->start(std::move(runs), std::move(intents)));
  return std::unique_ptr<Pipeline>(std::move(pipeline));
}

Result<Fd> Pipeline::make_ring() { return capture::Ring::make(); }
Result<Fd> Pipeline::make_intent() { return sys::memfd("pmx-intent", rotate::kIntentBytes); }

}  // namespace pmx::supervisor
