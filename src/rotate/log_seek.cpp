// Finding a place in a log from its end backwards.
//
// The records say how many lines a batch has, so the last n lines of a gigabyte cost the records
// that hold them and no text. A filter by level or text needs the lines themselves: then a stretch
// at the end is counted forwards, and a four times longer one if it had too few, which reads at
// most a third more than the last stretch alone.
#include <algorithm>

#include "rotate/internal/line_joiner.h"
#include "rotate/internal/segment_list.h"
#include "rotate/log_reader.h"

namespace pmx::rotate {
namespace {

constexpr std::uint64_t kFirstStretchLines = 256;
constexpr std::uint64_t kMostLines = std::uint64_t{1}
                                     << 48U;  // More than a log has; four times it fits.

}  // namespace

void LogReader::restart(bool at_start) {
  // Behind a seek into the middle, the rest of a line that began before it is none of ours.
  joiner_->reset(at_start ? LineJoiner::Unbegun::kShow : LineJoiner::Unbegun::kHide);
  segments_->look_again();
  rest_ = {};
  skip_lines_ = passed_offset_ = 0;
  current_.reset();
  segment_ = record_ = 0;
  seek_again_.reset();
  seek_end_again_ = trouble_ = false;
  number_.reset();
  number_read_ = lines_end_ = false;
  breaks_.clear();
  warnings_.clear();
}

void LogReader::seek_start() { restart(true); }

void LogReader::seek_end() {
  auto said = take_warnings();
  restart(true);
  warnings_ = std::move(said);
  const auto newest = segments_->newest();
  if (found(newest) && open(**newest) == Opened::kYes) to_last_record();
  seek_end_again_ = trouble_;
}

void LogReader::to_last_record() {
  record_ = current_->records();
  if (current_->framed()) return;
  Number end{current_->epoch(), current_->first_seq()};
  for (std::uint64_t number = record_; number > 0;) {
    const auto record = current_->record(--number);
    if (!record && retryable(record.error())) return (void)failed_for_now(record.error());
    if (!record) break;
    const bool data = record->record_type() == RecordType::kData;
    if (!data && record->record_type() != RecordType::kDropped) continue;
    end.seq = record->seq + (data ? record->lines : record->raw_end);
    break;
  }
  number_ = end;
  number_read_ = true;
  number_segment_ = segment_;
}

void LogReader::seek_time(std::int64_t time_ns) {
  restart(false);
  auto segment = segments_->newest();
  while (found(segment)) {
    const auto before_it = time_before_segment(fs_, dir_, **segment);
    if (before_it && *before_it < time_ns) break;  // All segments before this one are older.
    const auto before = segments_->before(**segment);
    if (!found(before)) break;
    segment = before;
  }
  for (; found(segment); segment = segments_->after(**segment)) {
    if (open(**segment) != Opened::kYes) continue;
    const auto record = current_->first_record_at(time_ns);
    if (record) record_ = *record;
    return;
  }
}

void LogReader::seek_seq(std::uint32_t epoch, std::uint64_t seq, std::uint64_t segment) {
  (void)seek_seq({epoch, seq, segment});  // What cannot be opened for now is sought by next().
}

// False: a segment could not be opened for now. Going on without it would lose what it has.
bool LogReader::seek_seq(EndPosition to) {
  auto said = take_warnings();
  restart(true);  // What follows may be the rest of a long line whose beginning was given out.
  warnings_ = std::move(said);
  number_ = {to.epoch, to.seq};
  number_segment_ = to.segment;
  bool any = false;
  auto segment = segments_->newest();
  for (; found(segment); segment = segments_->before(**segment)) {
    const Opened opened = open(**segment);
    if (opened == Opened::kLater) break;
    if (opened == Opened::kGone) continue;
    any = true;
    const bool indexed = current_->records() > 0 && !current_->framed();
    if (indexed &&
        std::pair(current_->epoch(), current_->first_seq()) <= std::pair(to.epoch, to.seq))
      break;
  }
  if (trouble_) {
    seek_again_ = to;
    return false;
  }
  // The oldest that is left may begin later, or the one found may be of an epoch that has ended.
  if (!any || current_->framed() || current_->epoch() != to.epoch) return true;
  const auto record = current_->first_record_with(to.seq);
  if (record) record_ = *record;
  return true;
}

std::uint64_t LogReader::line_starts(const Record& record, std::uint64_t number) const {
  const RecordType type = record.record_type();
  if (type != RecordType::kData && type != RecordType::kDropped) return 0;
  const SegmentReader::Source source = current_->source_of(record, number);
  if (type == RecordType::kDropped) return 1;
  if (filter_.wants && !filter_.wants(source.worker, source.kind)) return 0;
  return record.has(flags::kContinues) && record.lines > 0 ? record.lines - 1U : record.lines;
}

// Goes to the nearest record with at least n line starts from it to the end. False: the log has
// fewer, and this is its beginning.
bool LogReader::back_by_lines(std::uint64_t n, std::uint64_t& lines) {
  lines = 0;
  auto segment = segments_->newest();
  for (; found(segment); segment = segments_->before(**segment)) {
    if (open(**segment) != Opened::kYes) continue;
    for (std::uint64_t number = current_->records(); number > 0;) {
      const auto record = current_->record(--number);
      if (!record) break;  // Cut meanwhile; next() will say so.
      lines += line_starts(*record, number);
      if (lines < n) continue;
      record_ = number;
      return true;
    }
  }
  record_ = 0;
  return false;
}

void LogReader::last_lines(std::uint64_t n) {
  if (n == 0) return seek_end();
  n = std::min(n, kMostLines);
  const LineFilter none;
  if (filter_.level || filter_.matches || filter_.since_ns != none.since_ns ||
      filter_.until_ns != none.until_ns)
    return last_filtered_lines(n);
  restart(false);
  std::uint64_t lines = 0;
  if (!back_by_lines(n, lines)) joiner_->reset(LineJoiner::Unbegun::kShow);
  skip_lines_ = lines - std::min(lines, n);
}

void LogReader::last_filtered_lines(std::uint64_t n) {
  std::uint64_t there = 0;
  seek_back(n, [&](bool) {
    for (there = 0; next();) ++there;
    return there >= n;
  });
  skip_lines_ = there - std::min(there, n);
}

void LogReader::seek_back(std::uint64_t lines, const Enough& enough) {
  restart(false);
  const auto newest = segments_->newest();
  if (!found(newest) || open(**newest) != Opened::kYes) return;
  const Position end{**newest, current_->records()};
  for (std::uint64_t stretch = std::clamp(lines, kFirstStretchLines, kMostLines);; stretch *= 4) {
    restart(false);
    std::uint64_t counted = 0;
    const bool more_before = back_by_lines(stretch, counted) && stretch < kMostLines;
    const Position begin{segment_, record_};
    stop_ = end;  // A log that grows faster than we count would never end.
    const bool content = enough(!more_before);
    stop_.reset();
    if (!content && more_before) continue;
    restart(!more_before);
    if (open(begin.segment) == Opened::kYes) record_ = begin.record;
    return;
  }
}

}  // namespace pmx::rotate
