#include "ship/log_source.h"

#include <algorithm>

namespace pmx::ship {
namespace {

Drop reason_of(const rotate::LogLine& notice) {
  switch (notice.drop_reason) {
    case rotate::DropReason::kDiskFull:
      return Drop::kDiskFull;
    case rotate::DropReason::kRetention:
      return Drop::kRetention;
    case rotate::DropReason::kUnclean:
    case rotate::DropReason::kUser:
      break;
  }
  return Drop::kLost;
}

rotate::LineFilter captured_lines() {
  rotate::LineFilter filter;
  filter.unindexed = false;
  return filter;
}

}  // namespace

LogSource::LogSource(Fs& fs, rotate::LogDir dir, Options options, Emit emit)
    : options_(options),
      emit_(std::move(emit)),
      reader_(fs, std::move(dir), captured_lines()),
      joiner_([this](const MultilineJoiner::Line& line) { emitted(line); }) {}

void LogSource::seek(const std::optional<LogCursor>& cursor, Begin begin) {
  joiner_.clear();
  held_.reset();
  segments_.clear();
  gaps_.clear();
  from_ = cursor ? cursor->at : LogPosition();
  begin_ = cursor ? cursor->begin : 0;
  ahead_ = from_.ahead;
  if (cursor) return reader_.seek_seq(from_.epoch, from_.next_seq, from_.segment);
  if (begin == Begin::kOldest) return reader_.seek_start();
  reader_.seek_end();
  begin_ = from_.next_seq = reader_.next_number().value_or(0);
}

std::optional<std::int64_t> LogSource::next_time() {
  while (!held_) {
    const auto line = reader_.next();
    take_breaks();
    if (!line) return std::nullopt;
    if (line->found == rotate::Found::kUnindexed || is_settled(*line)) continue;
    if (line->found == rotate::Found::kForeign)
      begin_ += line->lines;  // Not captured, so not ours to ship, and no line of ours.
    else
      held_ = line;
  }
  if (end_ && std::pair(held_->epoch, held_->seq) >= std::pair(end_->epoch, end_->next_seq))
    return std::nullopt;
  return held_->time_ns;
}

bool LogSource::finished() const {
  if (!end_) return at_rest() && !reader_.has_open_stream();
  const LogPosition at = position();
  return std::pair(at.epoch, at.next_seq) >= std::pair(end_->epoch, end_->next_seq);
}

void LogSource::take_breaks() {
  for (const rotate::LogReader::NumberBreak& at : reader_.take_number_breaks()) {
    if (at.first) {
      begin_ = *at.first;
    } else if (at.missing > 0) {
      const bool flushed = at.segments_removed && at.segment < flushed_below_;
      gaps_.push_back({at.end, at.missing,
                       flushed               ? Drop::kFlushed
                       : at.segments_removed ? Drop::kRetention
                                             : Drop::kLost});
    } else {
      settle_gaps(UINT64_MAX);
      joiner_.flush_all();  // What the old epoch left open.
      begin_ += at.shift;
      ahead_.clear();
      from_ = LogPosition();
    }
    from_.epoch = at.epoch;
  }
}

// A gap that the position has not passed would be found again from there.
void LogSource::settle_gaps(std::uint64_t next_seq) {
  std::erase_if(gaps_, [&](const Gap& gap) {
    if (gap.end > next_seq) return false;
    tally_.drop(gap.why, gap.lines);
    return true;
  });
}

bool LogSource::is_settled(const rotate::LogLine& line) const {
  if (line.epoch < from_.epoch || line.seq < from_.next_seq) return true;
  const auto ahead = from_.ahead.find(line.stream);
  return ahead != from_.ahead.end() && line.seq < ahead->second;
}

void LogSource::take() {
  const rotate::LogLine line = *held_;
  held_.reset();
  if (segments_.empty() || segments_.rbegin()->second != line.segment)
    segments_[line.seq] = line.segment;
  if (line.dropped_notice) tally_.drop(reason_of(line), line.lines);
  MultilineJoiner::Line joined;
  joined.text = rotate::worker_text(line, message_);
  joined.time_ns = line.time_ns;
  joined.seq = line.seq;
  joined.lines = line.dropped_notice ? 0 : static_cast<std::uint32_t>(line.lines);
  joined.end_seq = line.end_seq;
  joined.stream = line.stream;
  joined.worker = line.worker;
  joined.kind = line.kind;
  joined.notice = line.dropped_notice;
  if (options_.multiline)
    joiner_.add(joined);
  else
    emitted_alone(joined);
}

void LogSource::emitted_alone(MultilineJoiner::Line line) {
  line.last_seq = std::max(line.end_seq, line.seq + 1) - 1;
  emitted(line);
}

void LogSource::emitted(const MultilineJoiner::Line& line) {
  std::uint64_t& ahead = ahead_[line.stream];
  ahead = std::max(ahead, line.last_seq + 1);
  emit_(line);
}

LogPosition LogSource::position() const {
  LogPosition at;
  at.epoch = from_.epoch;
  at.next_seq = reader_.next_number().value_or(from_.next_seq);
  if (held_) at.next_seq = std::min(at.next_seq, held_->seq);
  for (const auto& open : {joiner_.oldest_open_seq(), reader_.oldest_unfinished_seq()})
    if (open) at.next_seq = std::min(at.next_seq, *open);
  for (const auto& [stream, seq] : ahead_)
    if (seq > at.next_seq) at.ahead[stream] = seq;
  at.segment = from_.segment;
  for (const auto& [first, segment] : segments_)
    if (first <= at.next_seq) at.segment = segment;
  return at;
}

// What lies behind the position is of no use any more.
Tally LogSource::take_tally() {
  const LogPosition at = position();
  settle_gaps(at.next_seq);
  std::erase_if(ahead_, [&](const auto& entry) { return entry.second <= at.next_seq; });
  while (segments_.size() > 1 && std::next(segments_.begin())->first <= at.next_seq)
    segments_.erase(segments_.begin());
  return std::exchange(tally_, Tally());
}

}  // namespace pmx::ship
