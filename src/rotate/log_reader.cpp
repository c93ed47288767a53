#include "rotate/log_reader.h"

#include <algorithm>
#include <utility>

#include "rotate/internal/line_joiner.h"
#include "rotate/internal/segment_list.h"

namespace pmx::rotate {
namespace {

constexpr std::size_t kMaxWarnings = 100;  // Between two take_warnings(); more say nothing new.

std::string_view text_of(DropReason reason) {
  switch (reason) {
    case DropReason::kDiskFull:
      return "disk full";
    case DropReason::kUnclean:
      return "daemon and keeper both ended";
    case DropReason::kUser:
      return "the file was changed by somebody else";
    case DropReason::kRetention:
      return "retention";
  }
  return "unknown reason";
}

// As every line's text: bytes may be read behind it.
std::string_view padded(std::string& text) {
  const std::size_t size = text.size();
  text.append(kReadablePastEnd, '\0');
  return std::string_view(text).substr(0, size);
}

LogLine line_of(const Record& record, std::int64_t number, const SegmentReader::Source& source) {
  LogLine line;
  line.time_ns = record.time_ns + number;
  line.seq = record.seq + static_cast<std::uint64_t>(number);
  line.worker = source.worker;
  line.kind = source.kind;
  line.render = source.render;
  line.stream = source.stream;
  line.found = source.found;
  line.end_seq = line.seq + 1;
  return line;
}

// The batch's counts show none of this severity or worse.
bool has_none_of(const SeverityCounts& counts, Severity level) {
  switch (level) {
    case Severity::kTrace:
    case Severity::kDebug:
    case Severity::kInfo:
      return false;
    case Severity::kWarn:
      return counts.warn + counts.error + counts.fatal == 0;
    case Severity::kError:
      return counts.error + counts.fatal == 0;
    case Severity::kFatal:
      return counts.fatal == 0;
  }
  return false;
}

}  // namespace

LogReader::LogReader(Fs& fs, LogDir dir, LineFilter filter)
    : fs_(fs),
      dir_(std::move(dir)),
      filter_(std::move(filter)),
      segments_(std::make_unique<SegmentList>(fs_, dir_, filter_.unindexed)),
      joiner_(std::make_unique<LineJoiner>()) {}
LogReader::~LogReader() = default;

void LogReader::directory_changed() { segments_->look_again(); }
bool LogReader::unindexed() const { return segment_ == kUnindexedActive; }
std::vector<std::string> LogReader::take_warnings() { return std::exchange(warnings_, {}); }

void LogReader::warn(std::string text) {
  if (warnings_.size() < kMaxWarnings) warnings_.push_back(std::move(text));
}

LogReader::Step LogReader::failed_for_now(const Error& error) {
  trouble_ = true;
  if (std::exchange(trouble_text_, error.message()) != error.message()) warn(error.message());
  return Step::kEnd;
}

// False: there is none, or it could not be looked for just now.
bool LogReader::found(const Result<std::optional<std::uint64_t>>& segment) {
  if (!segment) (void)failed_for_now(segment.error());
  return segment && *segment;
}

void LogReader::release_memory() {
  if (current_ && rest_.empty()) current_->release_memory();
}

void LogReader::close_files() {
  if (current_ && rest_.empty()) current_->close_files();
}

// After close_files(). False: a file could not be opened for now.
bool LogReader::take_up() {
  const auto open_again = current_->take_up();
  if (open_again) return true;
  if (open_again.error().code() != Errc::kNotFound)
    return failed_for_now(open_again.error()), false;
  // It was packed meanwhile, with its records, or removed.
  const std::uint64_t record = record_, epoch = current_->epoch();
  const Opened opened = open(segment_);
  if (opened == Opened::kLater) return false;
  if (opened == Opened::kYes && !current_->framed() && current_->epoch() == epoch &&
      current_->records() >= record) {
    record_ = record;
    return true;
  }
  if (opened == Opened::kYes) return !number_ || seek_seq(*end_position());
  current_.reset();
  number_read_ = false;  // What it had behind the last line read is gone with it.
  return true;
}

std::optional<LogLine> LogReader::next() {
  trouble_ = false;
  const auto line = next_wanted();
  if (!trouble_) trouble_text_.clear();
  return line;
}

std::optional<LogLine> LogReader::next_wanted() {
  for (;;) {
    while (const auto line = next_of_batch())
      if (const auto given = unskipped(*line)) return given;
    const Step step = next_record();
    if (step == Step::kEnd) return std::nullopt;
    if (step == Step::kLine)
      if (const auto given = unskipped(given_)) return given;
  }
}

std::optional<LogLine> LogReader::unskipped(const LogLine& line) {
  if (!wanted(line)) return std::nullopt;
  if (skip_lines_ == 0) return line;
  --skip_lines_;
  return std::nullopt;
}

std::optional<LogLine> LogReader::next_unfinished() {
  while (auto line = joiner_->take_unfinished())
    if (wanted(*line)) return line;
  return std::nullopt;
}

bool LogReader::has_unfinished() const { return joiner_->has_unfinished(); }
std::optional<std::uint64_t> LogReader::oldest_unfinished_seq() const {
  return joiner_->oldest_unfinished_seq();
}

// One line of the batch; nullopt: it has no more.
std::optional<LogLine> LogReader::next_of_batch() {
  while (!rest_.empty()) {
    const std::size_t newline = rest_.find('\n');
    const bool last = newline == std::string_view::npos || newline + 1 == rest_.size();
    LineJoiner::Piece piece;
    piece.stream = source_.stream;
    piece.continues = line_ == 0 && batch_.has(flags::kContinues);
    // A newline that the writer added between the pieces of a line is none of the line's. Where
    // each piece has its own date or is an object of its own, it is a line of its own.
    const bool own_line = batch_.has(flags::kCut) && source_.render != RenderSpec::Kind::kRaw;
    piece.alone = last && batch_.has(flags::kPartial) && own_line;
    // What was recovered has no stream that could go on; a reader's own records do.
    const bool no_stream = source_.found == Found::kRecovered || source_.found == Found::kForeign;
    piece.goes_on = last && batch_.has(flags::kPartial) && !own_line && !no_stream;
    piece.line = line_of(batch_, line_, source_);
    piece.line.segment = segment_;
    piece.line.epoch = current_->epoch();
    piece.line.text = rest_.substr(0, newline);
    piece.line.has_newline =
        newline != std::string_view::npos && !(last && batch_.has(flags::kPartial));
    if (auto line = joiner_->before(piece)) return line;
    rest_.remove_prefix(last ? rest_.size() : newline + 1);
    ++line_;
    if (auto line = joiner_->add(piece)) return line;
  }
  return std::nullopt;
}

LogReader::Step LogReader::next_record() {
  if (stop_ &&
      (segment_ > stop_->segment || (segment_ == stop_->segment && record_ >= stop_->record)))
    return Step::kEnd;
  if (seek_end_again_) seek_end();
  if (seek_end_again_ || (seek_again_ && !seek_seq(*seek_again_))) return Step::kEnd;
  if (lines_end_) {
    if (const auto line = joiner_->take_unfinished()) {
      given_ = *line;
      return Step::kLine;
    }
    lines_end_ = false;
  }
  if (current_ && current_->closed() && !take_up()) return Step::kEnd;
  if (!current_) return next_segment() ? Step::kAgain : Step::kEnd;
  if (record_ >= current_->records()) {
    const auto more = current_->refresh();
    if (!more && retryable(more.error())) return failed_for_now(more.error());
    if (!more) warn(more.error().message());
    if (!more || !*more) return next_segment() ? Step::kAgain : Step::kEnd;
  }
  const auto record = current_->record(record_);
  if (!record) {
    if (retryable(record.error())) return failed_for_now(record.error());
    warn(record.error().message());
    record_ = current_->records();
    return Step::kAgain;
  }
  return take_record(*record);
}

LogReader::Step LogReader::take_record(const Record& record) {
  switch (record.record_type()) {
    case RecordType::kData:
      return take_data(record);
    case RecordType::kEnd: {
      source_ = current_->source_of(record, record_++);
      const auto line = joiner_->end_stream(source_.stream);
      if (!line) return Step::kAgain;
      given_ = *line;
      return Step::kLine;
    }
    case RecordType::kDropped: {
      source_ = current_->source_of(record, record_++);
      notice_ = "[pmx] " +
                (record.raw_end > 0 ? std::to_string(record.raw_end) + " lines" : "some lines") +
                " dropped (" + std::string(text_of(static_cast<DropReason>(record.lines))) + ")";
      given_ = line_of(record, 0, source_);
      given_.text = padded(notice_);
      given_.dropped_notice = true;
      given_.drop_reason = static_cast<DropReason>(record.lines);
      given_.lines = record.raw_end;
      given_.end_seq = record.seq + record.raw_end;
      note_numbers(record, record.raw_end);
      given_.segment = segment_;
      given_.epoch = current_->epoch();
      return Step::kLine;
    }
    default:
      ++record_;
      return Step::kAgain;
  }
}

LogReader::Step LogReader::take_data(const Record& record) {
  const SegmentReader::Source source = current_->source_of(record, record_);
  const bool passed = record.file_end <= passed_offset_;
  if (passed || !may_hold_wanted(record, source)) {
    note_numbers(record, record.lines);
    ++record_;
    return Step::kAgain;
  }
  const auto text = current_->text(record);
  if (!text) {
    // Too many open files, say: the lines are there, and come later.
    if (retryable(text.error())) return failed_for_now(text.error());
    if (!std::exchange(warned_of_text_, true)) warn(text.error().message());
    record_ = current_->records();  // Of what is damaged a prefix is shown.
    return Step::kAgain;
  }
  note_numbers(record, record.lines);
  ++record_;
  batch_ = record;
  source_ = source;
  line_ = 0;
  rest_ = *text;
  return Step::kAgain;
}

// Framed records have numbers of their own making.
void LogReader::note_numbers(const Record& record, std::uint64_t count) {
  if (current_->framed()) return;
  const Number at{current_->epoch(), record.seq};
  if (number_ && at.epoch == number_->epoch && at.seq > number_->seq)
    breaks_.push_back({.missing = at.seq - number_->seq,
                       .end = at.seq,
                       .segment = number_segment_,
                       .segments_removed = segment_ > number_segment_ + (number_read_ ? 1 : 0),
                       .epoch = at.epoch});
  if (number_ && at.epoch != number_->epoch)
    breaks_.push_back({.shift = at.seq - number_->seq, .epoch = at.epoch});
  if (!number_) breaks_.push_back({.first = at.seq, .epoch = at.epoch});
  number_ = {at.epoch, at.seq + count};
  number_segment_ = segment_;
  number_read_ = true;
}

std::optional<std::uint64_t> LogReader::next_number() const {
  if (!rest_.empty() && !current_->framed()) return batch_.seq + static_cast<std::uint64_t>(line_);
  return number_ ? std::optional(number_->seq) : std::nullopt;
}

std::optional<LogReader::EndPosition> LogReader::end_position() const {
  if (!number_) return std::nullopt;
  return EndPosition{number_->epoch, number_->seq, number_segment_};
}

std::vector<LogReader::NumberBreak> LogReader::take_number_breaks() {
  return std::exchange(breaks_, {});
}

bool LogReader::next_segment() {
  auto segment = segment_ != 0 ? segments_->after(segment_) : segments_->oldest();
  if (!found(segment)) return false;
  const std::uint64_t next = **segment;
  if (current_ && !current_->sealed()) {
    // More may have been recorded between our last look and the new segment.
    const auto more = current_->refresh();
    if (more && *more) return true;
    if (!more && retryable(more.error())) return failed_for_now(more.error()), false;
    if (!current_->damage().empty()) warn(current_->damage());
  }
  if (current_ && segment_ != kUnindexedActive && next != kUnindexedActive && next > segment_ + 1)
    warn(dir_.active_path() + ": " + std::to_string(next - segment_ - 1) +
         " segments were removed before they were read");
  passed_offset_ = 0;
  if (segment_ == kUnindexedActive && current_ && current_->records() > 0) {
    const auto last = current_->record(current_->records() - 1);
    if (last) passed_offset_ = last->file_end;
  }
  for (; found(segment); segment = segments_->after(**segment)) {
    const Opened opened = open(**segment);
    // Where an epoch or records have ended, the ENDs of streams are missing too, and nothing else
    // says that no more comes of a half line. If some does, it is a line of its own.
    if (opened == Opened::kYes) lines_end_ = !goes_on();
    if (opened != Opened::kGone) return opened == Opened::kYes;
    if (**segment == kUnindexedActive) break;
  }
  return false;
}

// The segment that was opened has the lines behind the last one read.
bool LogReader::goes_on() const {
  return !current_->framed() && number_ && number_->epoch == current_->epoch() &&
         number_->seq == current_->first_seq();
}

LogReader::Opened LogReader::open(std::uint64_t segment) {
  auto opened = segment == kUnindexedActive ? SegmentReader::open_unindexed(fs_, dir_)
                                            : SegmentReader::open(fs_, dir_, segment);
  if (!opened) {
    if (retryable(opened.error())) return failed_for_now(opened.error()), Opened::kLater;
    // Not found: it was removed between our look at the directory and now.
    if (opened.error().code() != Errc::kNotFound) warn(opened.error().message());
    return Opened::kGone;
  }
  current_ = std::move(*opened);
  segment_ = segment;
  record_ = 0;
  warned_of_text_ = false;
  return Opened::kYes;
}

bool LogReader::may_hold_wanted(const Record& record, const SegmentReader::Source& source) const {
  if (filter_.wants && !filter_.wants(source.worker, source.kind)) return false;
  // A line in pieces is judged as a whole, so its pieces are all read.
  if (record.has(flags::kPartial) || record.has(flags::kContinues)) return true;
  if (record.time_ns > filter_.until_ns || record.time_ns + record.lines <= filter_.since_ns)
    return false;
  return !filter_.level || record.has(flags::kUnparsed) ||
         !has_none_of(record.severities, *filter_.level);
}

bool LogReader::wanted(const LogLine& line) const {
  if (line.time_ns < filter_.since_ns || line.time_ns > filter_.until_ns) return false;
  if (line.dropped_notice)
    return !filter_.matches;  // It is no line of the app's, but it matters at every level.
  if (filter_.level && !severe_enough(line)) return false;
  return !filter_.matches || filter_.matches(line.text);
}

bool LogReader::severe_enough(const LogLine& line) const {
  std::string message;
  return filter_.severity_of(worker_text(line, message)) >= *filter_.level;
}

}  // namespace pmx::rotate
