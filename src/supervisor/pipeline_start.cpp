// Recovery is the start path: what the keeper held, or nothing, becomes streams and logs.
#include <algorithm>

#include "base/crash_point.h"
#include "supervisor/pipeline_thread.h"

namespace pmx::supervisor {

Result<void> PipelineThread::start(std::vector<RunFds> runs, std::vector<IntentFd> intents) {
  loop_ = PMX_TRY(EventLoop::create());
  packer_ = PMX_TRY(rotate::Packer::start(
      state_, clock_,
      {.notice = events_.notice, .retired = {}, .settled = [this] { keep_within_disk(); }}));
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
void PipelineThread::scan(const rotate::LogDir& dir, const RotatePolicy& policy,
                          const std::optional<FileOwner>& owner) {
  const auto segments = dir.index_segments(state_);
  if (segments && segments->size() > 1)
    (void)packer_->scan(
        {dir, segments->back() - 1, policy, owner, options_.floor(dir.active_path())});
}

void PipelineThread::take_intents(std::vector<IntentFd> intents) {
  for (const IntentFd& intent : intents) {
    auto page = rotate::IntentPage::map(intent.fd);
    if (page)
      intents_.insert_or_assign(intent.log, std::move(*page));
    else
      events_.notice(page.error().message());
  }
}

Result<Log*> PipelineThread::log_for(const LogSpec& spec) {
  if (const auto found = logs_.find(spec.path); found != logs_.end()) {
    found->second->adopt(spec);
    plan_rotation(*found->second);
    return found->second.get();
  }
  const auto intent = intents_.find(log_id_of(spec.path));
  if (intent == intents_.end()) return corrupt("no intent page for " + spec.path);
  auto page = PMX_TRY(intent->second.again());
  RealFs& files = files_.insert_or_assign(spec.path, RealFs(spec.owner)).first->second;
  auto log =
      std::make_unique<Log>(spec, options_.home + "/state", std::move(page),
                            rotate::SegmentWriter::World{state_, files, clock_, *this, redactors_});
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
    const auto spec = std::find_if(run.spec.streams.begin(), run.spec.streams.end(),
                                   [&](const StreamSpec& s) { return s.id == fds.id; });
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

}  // namespace pmx::supervisor
