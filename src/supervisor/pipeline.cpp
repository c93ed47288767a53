// Where the stages meet. One round of the log thread is:
//
//   readable pipes -> rings              milestone: the memfd's offset, kept by the keeper
//   rings -> lines -> segments           milestone: the index record, log by log
//   rings freed, full ones read again
//   a nap of 0.5 ms where lines trickle in fast: a line-at-a-time writer costs 3x the CPU without
//
// Nothing goes back but two numbers: `consumed` frees a ring, `recorded` is what readers and
// shippers see.
#include "supervisor/pipeline.h"

#include <time.h>

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/crash_point.h"
#include "supervisor/pipeline_thread.h"

namespace pmx::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kPartialQuiet = milliseconds(200);  // A half line is shown after this much silence.
constexpr auto kRingIdle = std::chrono::seconds(1);
constexpr auto kNap = std::chrono::microseconds(500);
constexpr auto kBusyWithin = milliseconds(3);  // Since the last nap: more often than this is busy.
constexpr std::uint64_t kNapBelowBytes = capture::Ring::kCapacityBytes / 4;

}  // namespace

void PipelineThread::drain(Stream& stream) {
  auto drained =
      stream.pipe->drain(*stream.ring);  // The memfd's offset has moved: the bytes are ours.
  if (!drained) {
    events_.notice("pipe of stream " + std::to_string(stream.spec.id.value) + ": " +
                   drained.error().message());
    watch(stream, false);
    return;
  }
  round_bytes_ += drained->bytes;
  // Whoever fills its pipe faster than we come is not served better by waiting.
  round_again_ = round_again_ || drained->again || drained->over_half_full;
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
  for (const std::vector<Log*> logs = std::exchange(queued_, {}); Log * log : logs) {
    log->queued = false;
    commit(*log);
  }
  for (const std::vector<Stream*> streams = std::exchange(drained_, {}); Stream * stream : streams)
    look_after(*stream);
  answer_waiters();
  nap_if_busy();
}

void PipelineThread::commit(Log& log) {
  if (log.trouble() && clock_.steady_now() < log.trouble()->next_try)
    return;  // Its timer will queue it.
  const auto committed = log.commit();
  tell_recorded(log);
  for (const std::string& line : log.writer().take_notices()) events_.notice(line);
  hand_to_packer(log);
  plan_sync(log);
  for (Stream* stream : log.take_touched()) drained_.push_back(stream);
  if (!committed) return fail(log, committed.error());
  if (!log.trouble()) return;
  log.trouble().reset();
  log.counters()->trouble.set("");
  events_.notice(log.spec().path + ": written again");
}

// Each record matters to readers: an END ends a half line, and a SEAL begins the next segment.
void PipelineThread::tell_recorded(Log& log) {
  if (const auto bytes = log.take_recorded()) events_.recorded(log.spec().path, *bytes);
}

// What a stream needs after its logs have moved on.
void PipelineThread::look_after(Stream& stream) {
  if (!stream.ring) return;
  if (stream.logs.empty() && stream.waits())
    stream.ring->consume(stream.ring->head());  // disable_logs, /dev/null.
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
  if (!stream.waits() && !stream.idle_timer &&
      head - stream.given_back_at > capture::Ring::kGiveBackBytes) {
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
  const bool ended = std::all_of(stream.logs.begin(), stream.logs.end(),
                                 [&](const Log* log) { return log->has_ended(stream); });
  if (!ended || stream.reported) return;
  stream.reported = true;
  events_.stream_ended(stream.spec.id);
  const bool others = std::any_of(streams_.begin(), streams_.end(), [&](const auto& entry) {
    return entry.second->run == stream.run && !entry.second->reported;
  });
  if (!others) events_.run_ended(stream.run);
}

// Coalesces a line-at-a-time writer's lines. The first line after a pause never waits.
void PipelineThread::nap_if_busy() {
  const auto now = clock_.steady_now();
  const bool trickle = round_bytes_ > 0 && round_bytes_ < kNapBelowBytes && !round_again_;
  const bool busy = now - last_nap_ < kBusyWithin;
  if (round_bytes_ > 0) last_nap_ = now;
  round_bytes_ = 0;
  round_again_ = false;
  if (!trickle || !busy) return;
  const timespec nap{0, std::chrono::nanoseconds(kNap).count()};
  ::nanosleep(&nap, nullptr);
  last_nap_ = clock_.steady_now();
}

std::string_view PipelineThread::raw_bytes(StreamId stream, std::uint64_t from,
                                           std::uint64_t size_bytes) {
  const auto found = streams_.find(stream);
  PMX_CHECK(found != streams_.end());
  return found->second->ring->bytes(from, size_bytes);
}

}  // namespace pmx::supervisor
