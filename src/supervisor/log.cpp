#include "supervisor/log.h"

#include <algorithm>

#include "base/check.h"
#include "capture/fields.h"
#include "rotate/retention.h"
#include "supervisor/discard.h"

namespace pmx::supervisor {
namespace {

constexpr std::uint64_t kMergedLineBytes = 256U
                                           << 10U;  // Longer lines of a merged log are ended here.
constexpr std::uint64_t kPieceBytes =
    kMaxBatchBytes;  // Longer lines of other logs are written in pieces.
constexpr std::uint64_t kCutInsideLineBytes = 16U
                                              << 20U;  // A segment may end inside a line this long.
constexpr std::size_t kGroupBatches =
    rotate::kMaxIntentRecords / 2;  // Each may need a STREAM record beside it.

}  // namespace

Log::Log(LogSpec spec, std::string state_directory, rotate::IntentPage page,
         rotate::SegmentWriter::World world)
    : spec_(std::move(spec)),
      world_(world),
      writer_(world, rotate::LogDir(std::move(state_directory), spec_.path), std::move(page),
              spec_.merged),
      counters_(std::make_shared<LogCounters>()) {
  counters_->path = spec_.path;
  adopt(spec_);
}

void Log::adopt(const LogSpec& spec) {
  const bool was_merged = spec_.merged;
  spec_ = spec;
  spec_.merged = was_merged || spec.merged;
  schedule_.reset();
  if (!spec.rotate.every.empty()) {
    auto schedule = Schedule::parse(spec.rotate.every);  // Checked where it was set.
    if (schedule) schedule_ = std::move(schedule).value();
  }
  schedule_next_rotation();
}

void Log::schedule_next_rotation() {
  next_rotation_ns_.reset();
  if (schedule_) next_rotation_ns_ = schedule_->next_after(world_.clock.system_ns());
}

void Log::feed(Stream& stream) {
  const auto spec = std::find_if(stream.spec.logs.begin(), stream.spec.logs.end(),
                                 [this](const LogSpec& s) { return s.path == spec_.path; });
  writer_.attach({stream.spec.id, stream.worker, stream.spec.kind, spec->render});
  feeds_.push_back({&stream});
  feeds_.back().redactor = writer_.redactor(stream.spec.id);
  stream.logs.push_back(this);
  refresh(feeds_.back());
}

void Log::release(Stream& stream) {
  writer_.forget(stream.spec.id);
  std::erase_if(feeds_, [&stream](const Feed& feed) { return feed.stream == &stream; });
}

void Log::refresh(Feed& feed) {
  feed.tail = writer_.tail(feed.stream->spec.id);
  feed.mid_line = writer_.mid_line(feed.stream->spec.id);
  feed.ended = writer_.ended(feed.stream->spec.id);
}

std::uint64_t Log::released(const Stream& stream) const {
  for (const Feed& feed : feeds_)
    if (feed.stream == &stream) return feed.released;
  return 0;
}

bool Log::has_ended(const Stream& stream) const {
  for (const Feed& feed : feeds_)
    if (feed.stream == &stream) return feed.ended;
  return true;
}

// Where each stream stands, which its ring must be opened with, before anything is rendered from
// rings.
Result<void> Log::load() {
  if (writer_.loaded()) return {};
  PMX_TRY(writer_.load_index());
  for (Feed& feed : feeds_) refresh(feed);
  return {};
}

Result<void> Log::settle() {
  PMX_TRY(load());
  for (const Feed& feed : feeds_) {
    if (feed.stream->ring) continue;
    if (!open_ring(*feed.stream))
      return Error(Errc::kUnavailable, spec_.path + " waits for another log of the same stream");
    touched_.push_back(feed.stream);
  }
  if (!writer_.settled()) {
    PMX_TRY(writer_.settle());  // An interrupted batch is recorded now, so tails may have moved.
    for (Feed& feed : feeds_) refresh(feed);
    unsynced_ = true;
  }
  return release_recorded();
}

// Records free the rings; with `sync: batch` only what is on the disk does.
Result<void> Log::release_recorded() {
  if (unsynced_ && spec_.sync.mode == SyncPolicy::Mode::kBatch) PMX_TRY(sync());
  for (Feed& feed : feeds_) {
    if (feed.released == feed.tail) continue;
    feed.released = feed.tail;
    free_ring(*feed.stream);
    touched_.push_back(feed.stream);
  }
  return {};
}

// A feed whose begun line is the file's last, else the oldest: where two runs meet in one file,
// their lines do not mix. A merged log's lines are whole, so there the feeds take turns.
std::size_t Log::first_feed() const {
  if (spec_.merged) return next_feed_;
  for (std::size_t i = 0; i < feeds_.size(); ++i)
    if (feeds_[i].mid_line && !feeds_[i].ended) return i;
  return 0;
}

Result<void> Log::commit() {
  PMX_TRY(settle());
  while (PMX_TRY(append_ready())) {
    if (rotation_due()) PMX_TRY(writer_.seal());
  }
  if (writer_.has_dropped()) PMX_TRY(writer_.record_dropped());
  PMX_TRY(end_streams());
  publish();
  return {};
}

// At the first byte that one of its logs has not recorded or will write again; false while one of
// them cannot be read.
bool Log::open_ring(Stream& stream) {
  std::uint64_t smallest = UINT64_MAX;
  for (Log* log : stream.logs) {
    if (!log->writer_.loaded()) return false;
    smallest = std::min(smallest, log->writer_.needed_from(stream.spec.id));
  }
  auto ring =
      capture::Ring::open(std::move(stream.ring_memfd), smallest == UINT64_MAX ? 0 : smallest);
  PMX_CHECK(
      // Our own memfd, sealed to its size: only a bug or a lack of address space.
      ring.has_value());
  stream.ring = std::move(ring).value();
  return true;
}

// What the batch would cut in two waits, or goes into the next piece of its line.
void Log::keep_secrets_whole(redact::Redactor& redactor, const capture::FrameLimits& limits,
                             LineBatch& lines) {
  if (lines.partial && lines.bytes.size() == limits.max_line_bytes) {
    lines.bytes = lines.bytes.substr(0, redactor.piece_bytes(lines.bytes));
  } else if (!lines.partial && !limits.at_end) {
    const std::string_view rest = lines.bytes.substr(redactor.ready_bytes(lines.bytes));
    lines.bytes.remove_suffix(rest.size());
    lines.lines -= static_cast<std::uint32_t>(std::count(rest.begin(), rest.end(), '\n'));
  }
}

// Whole lines only, as views into the ring. A line whose rest was dropped ends at its mark.
rotate::StreamBatch Log::next_batch(const Feed& feed) {
  const Stream& stream = *feed.stream;
  const auto torn_at = writer_.torn_at(stream.spec.id);
  const std::uint64_t end = torn_at ? std::min(*torn_at, stream.ring->head()) : stream.ring->head();
  const capture::FrameLimits limits{
      .max_line_bytes = spec_.merged ? kMergedLineBytes : kPieceBytes,
      .max_batch_bytes = kMaxBatchBytes,
      .at_end = stream.at_end() || torn_at,
      .flush_partial = stream.flush_partial && !spec_.merged &&
                       spec_.render.kind == RenderSpec::Kind::kRaw &&
                       feed.redactor == nullptr,  // Half a secret cannot be known.
  };
  LineBatch lines =
      capture::frame(stream.ring->bytes(feed.tail, end - feed.tail), limits, feed.mid_line);
  if (feed.redactor != nullptr) keep_secrets_whole(*feed.redactor, limits, lines);
  if (!lines.bytes.empty() && !stream.over_half_full) capture::count_severities(lines);
  const bool reaches_end = feed.tail + lines.bytes.size() == end;
  return {stream.spec.id, lines, stream.at_end() && reaches_end,
          torn_at && reaches_end && lines.partial};
}

Result<bool> Log::append_ready() {
  group_.clear();
  std::vector<Feed*> members;
  const std::size_t first = first_feed();
  const std::size_t most = spec_.merged ? kGroupBatches : 1;
  for (std::size_t i = 0; i < feeds_.size() && group_.size() < most; ++i) {
    Feed& feed = feeds_[(first + i) % feeds_.size()];
    if (feed.ended || feed.tail == feed.stream->ring->head()) continue;
    rotate::StreamBatch batch = next_batch(feed);
    if (batch.lines.bytes.empty()) continue;
    group_.push_back(batch);
    members.push_back(&feed);
  }
  if (group_.empty()) return false;
  ++next_feed_;
  const auto appended = writer_.append(group_);  // Recorded: from here on the file owns the lines.
  unsynced_ = true;
  for (Feed* feed : members) refresh(*feed);
  PMX_TRY(release_recorded());
  if (!appended) return appended.error();
  return true;
}

void Log::free_ring(Stream& stream) const {
  std::uint64_t smallest = stream.ring->head();
  for (const Log* log : stream.logs) smallest = std::min(smallest, log->released(stream));
  if (smallest > stream.ring->tail()) stream.ring->consume(smallest);
}

Result<void> Log::end_streams() {
  for (Feed& feed : feeds_) {
    if (feed.ended || !feed.stream->at_end() || feed.tail != feed.stream->ring->head()) continue;
    PMX_TRY(writer_.end_stream(feed.stream->spec.id));
    refresh(feed);
    touched_.push_back(feed.stream);
  }
  return {};
}

bool Log::rotation_due() const {
  const rotate::SegmentIndex& index = writer_.index();
  if (index.file_end() == 0) return false;
  const bool raw = spec_.render.kind == RenderSpec::Kind::kRaw;
  if (index.mid_line() &&
      !(raw && index.file_end() > std::max(kCutInsideLineBytes, spec_.rotate.max_size_bytes)))
    return false;
  if (index.slots() >= rotate::kMaxRecords) return true;
  if (spec_.rotate.max_size_bytes > 0 && index.file_end() >= spec_.rotate.max_size_bytes)
    return true;
  return next_rotation_ns_ && world_.clock.system_ns() >= *next_rotation_ns_;
}

Result<void> Log::rotate() {
  schedule_next_rotation();
  PMX_TRY(settle());
  PMX_TRY(writer_.seal());
  for (Feed& feed : feeds_) refresh(feed);
  publish();
  return {};
}

Result<void> Log::look() {
  PMX_TRY(commit());
  return writer_.look();
}

// Only what is whole lines leaves the pipe for nowhere; what it is has been counted before.
bool Log::drop_newest() {
  bool dropped = false;
  for (Feed& feed : feeds_) {
    Stream& stream = *feed.stream;
    if (!stream.pipe || !stream.ring || stream.ring->free_bytes() > 0) continue;
    const auto peeked = peek_lines(stream.pipe->fd());
    if (!peeked || peeked->bytes == 0) continue;
    bool noted = true;
    for (Log* log : stream.logs)
      noted = log->writer_.note_dropped(stream.spec.id, stream.ring->head(), peeked->lines,
                                        peeked->bytes) &&
              noted;
    if (noted) dropped = discard(stream.pipe->fd(), peeked->bytes).has_value() || dropped;
  }
  return dropped;
}

// First what has been shipped, then what a sink would still want: new lines matter more.
bool Log::make_room(std::uint64_t floor_segment) {
  for (const std::uint64_t floor : {floor_segment, rotate::kNoFloor}) {
    const auto freed =
        rotate::free_space(world_.files, world_.state, writer_.dir(), kMaxBatchBytes, floor);
    if (freed && freed->files_removed > 0) return true;
  }
  return false;
}

std::optional<std::uint64_t> Log::take_recorded() {
  const rotate::SegmentIndex& index = writer_.index();
  if (index.segment() == told_segment_ && index.slots() == told_slots_) return std::nullopt;
  told_segment_ = index.segment();
  told_slots_ = index.slots();
  const std::uint64_t end = index.base() + index.file_end();
  const std::uint64_t before = std::exchange(told_bytes_, end);
  return end - std::min(before, end);  // Recovery may have taken records back.
}

void Log::publish() {
  const rotate::SegmentIndex& index = writer_.index();
  counters_->captured_lines = index.next_seq();
  counters_->captured_bytes = index.base() + index.file_end();
  counters_->dropped_lines = index.dropped_lines();
  counters_->redactions = writer_.redactions();
  counters_->active_size_bytes = index.file_end();
  counters_->segment = index.segment();
  std::uint64_t waiting = 0;
  for (const Feed& feed : feeds_)
    if (feed.stream->ring) waiting += feed.stream->ring->head() - feed.tail;
  counters_->waiting_bytes = waiting;
}

}  // namespace pmx::supervisor
