#include "sim/support/daemon.h"

#include <algorithm>
#include <chrono>

#include "base/sys.h"
#include "capture/ring.h"
#include "rotate/internal/pack_step.h"
#include "rotate/retention.h"

namespace pmx::sim {

using supervisor::Log;
using supervisor::Stream;

void Daemon::begin(HeldStream& held, std::map<LogId, Fd>& intents, bool fresh) {
  auto owned = std::make_unique<Stream>();
  Stream& stream = *owned;
  stream.spec = held.spec;
  stream.run = held.run;
  stream.worker = held.worker;
  stream.ring_memfd = sys::duplicate(held.ring.get()).value();
  stream.pipe.emplace(sys::duplicate(held.pipe.get()).value());
  streams_.emplace(held.spec.id, std::move(owned));
  held_[held.spec.id] = &held;
  if (fresh) stream.ring = capture::Ring::open(std::move(stream.ring_memfd), 0).value();
  for (const LogSpec& spec : held.spec.logs) {
    std::unique_ptr<Log>& log = logs_[spec.path];
    if (log) {
      log->adopt(spec);
    } else {
      auto page = rotate::IntentPage::map(intents.at(log_id_of(spec.path)));
      log =
          std::make_unique<Log>(spec, home_ + "/state", std::move(page).value(),
                                rotate::SegmentWriter::World{fs_, fs_, clock_, *this, redactors_});
      const auto segments = log->writer().dir().index_segments(fs_);
      if (segments && segments->size() > 1) packable_[spec.path] = segments->back() - 1;
      (void)rotate::remove_half_archives(fs_,
                                         log->writer().dir());  // Tried again by the next life.
    }
    log->feed(stream);
  }
}

Stream* Daemon::stream(StreamId id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

Log* Daemon::log(const std::string& path) {
  const auto found = logs_.find(path);
  return found == logs_.end() ? nullptr : found->second.get();
}

std::vector<Log*> Daemon::logs() {
  std::vector<Log*> all;
  for (const auto& [path, log] : logs_) all.push_back(log.get());
  return all;
}

std::string_view Daemon::raw_bytes(StreamId id, std::uint64_t from, std::uint64_t size_bytes) {
  Stream* const found = stream(id);
  if (found == nullptr || !found->ring) {
    problems.push_back("bytes of a ring that is not open were asked for");
    throw Death{};
  }
  const capture::Ring& ring = *found->ring;
  if (from < ring.tail() || from + size_bytes > ring.head()) {
    problems.push_back("bytes " + std::to_string(from) + " to " +
                       std::to_string(from + size_bytes) + " of stream " +
                       std::to_string(id.value) + " were asked for, the ring has " +
                       std::to_string(ring.tail()) + " to " + std::to_string(ring.head()));
    throw Death{};
  }
  return ring.bytes(from, size_bytes);
}

void Daemon::drain(HeldStream& held, Drain how) {
  Stream* const found = stream(held.spec.id);
  if (found == nullptr || !found->ring || !found->pipe || found->ring->free_bytes() == 0) return;
  Stream& stream = *found;
  bool end = false;
  std::uint64_t bytes = 0;
  if (how == Drain::kOneSplice) {  // So that a step ends just behind the ring's end, too.
    const auto taken = stream.ring->splice_from(stream.pipe->fd());
    if (!taken && taken.error().code() != Errc::kUnavailable)
      problems.push_back("splice: " + taken.error().message());
    end = taken && *taken == 0;
    bytes = taken ? *taken : 0;
  } else {
    const auto drained = stream.pipe->drain(*stream.ring);
    if (!drained) return problems.push_back("drain: " + drained.error().message());
    end = drained->end;
    bytes = drained->bytes;
    stream.over_half_full = drained->over_half_full;
  }
  if (bytes > 0) stream.flush_partial = false;
  if (end) {
    crash_point(CrashPoint::kEndSeen);
    stream.pipe.reset();
  }
}

void Daemon::commit(Log& log) {
  if (log.trouble() && clock_.steady_now() < log.trouble()->next_try) return;
  const auto committed = log.commit();
  for (const std::string& notice : log.writer().take_notices()) say(notice);
  for (const rotate::SealedSegment& sealed : log.writer().take_sealed())
    packable_[log.spec().path] = std::max(packable_[log.spec().path], sealed.segment);
  (void)log.take_touched();
  if (!committed) return fail(log, committed.error());
  log.trouble().reset();
}

// As PipelineThread::fail().
void Daemon::fail(Log& log, Error error) {
  ++faults_met;
  say(log.spec().path + ": " + error.message());
  const auto now = clock_.steady_now();
  const bool is_full = error.code() == Errc::kNoSpace;
  if (!log.trouble()) log.trouble() = Log::Trouble{std::move(error), now, now};
  if (is_full) {
    const auto sealed = log.writer().dir().sealed_files(fs_);
    if (!sealed || sealed->size() > 1) made_room.insert(log.spec().path);  // It may die in there.
    (void)log.make_room(rotate::kNoFloor);
  }
  if (is_full && log.spec().when_full == WhenFull::kDrop &&
      now - log.trouble()->since > std::chrono::seconds(10)) {
    std::map<StreamId, std::uint64_t> before;
    for (const auto& [id, stream] : streams_)
      if (stream->pipe) before[id] = stream->pipe->waiting_bytes();
    (void)log.drop_newest();
    for (const auto& [id, waiting] : before)
      held_.at(id)->printer.drop(stream(id)->ring ? stream(id)->ring->head() : 0,
                                 waiting - stream(id)->pipe->waiting_bytes());
  }
  log.trouble()->next_try = now + log.trouble()->delay;
}

void Daemon::rotate(Log& log) {
  const auto rotated = log.rotate();
  if (!rotated) fail(log, rotated.error());
}

void Daemon::look(Log& log) {
  const auto looked = log.look();
  if (!looked) fail(log, looked.error());
}

void Daemon::sync(Log& log) {
  if (log.wants_sync()) (void)log.sync();  // A notice in pmx.log, and the next interval's turn.
}

void Daemon::quiet(HeldStream& held) {
  Stream* const found = stream(held.spec.id);
  if (found == nullptr || !found->ring) return;
  if (found->waits())
    found->flush_partial = true;
  else
    (void)found->ring->give_back_pages();
}

bool Daemon::ended(const HeldStream& held) {
  const Stream* const found = stream(held.spec.id);
  return found != nullptr && found->at_end() && found->ring &&
         std::all_of(found->logs.begin(), found->logs.end(),
                     [&](const Log* log) { return log->has_ended(*found); });
}

void Daemon::release(const HeldStream& held) {
  Stream& stream = *streams_.at(held.spec.id);
  for (Log* log : stream.logs) log->release(stream);
  streams_.erase(held.spec.id);
  held_.erase(held.spec.id);
}

// As Packer::work_on().
bool Daemon::pack(Log& log) {
  const rotate::PackJob job{log.writer().dir(), packable_[log.spec().path], log.spec().rotate, {}};
  const auto packed = rotate::internal::pack_oldest(fs_, fs_, job, {});
  if (packed && *packed) return true;
  const auto retired =
      rotate::retire(fs_, fs_, job.dir, job.policy, clock_.system_ns(), job.floor_segment);
  if (!packed || !retired) ++faults_met;  // Tried again at the next step.
  return false;
}

}  // namespace pmx::sim
