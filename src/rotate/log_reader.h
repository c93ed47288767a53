// The lines of one log, oldest first, over all its segments: active, sealed, packed.
//
// A reader that has reached the end may go on later: next() then finds what has been recorded
// since, goes over rotations, and never gives a line twice. LogFollower says when that is worth a
// try.
//
// Thread:  any, one at a time.
// Errors:  what cannot be read is left out, and take_warnings() says so: of a cut or damaged
//          segment a prefix is read and nothing else.
// Bounds:  one segment open, 64 KiB of its records and 64 KiB of its text (1 MiB of an archive); 1
//          MiB of each stream's unfinished line.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "model/severity.h"
#include "rotate/log_dir.h"
#include "rotate/log_line.h"
#include "rotate/segment_reader.h"

namespace pmx::rotate {

class SegmentList;
class LineJoiner;

// Which lines are wanted. Batches without any are passed over by their records alone.
struct LineFilter {
  std::int64_t since_ns = std::numeric_limits<std::int64_t>::min();
  std::int64_t until_ns = std::numeric_limits<std::int64_t>::max();  // Both inclusive.
  std::optional<Severity> level = {};  // This and worse; needs severity_of.
  std::function<Severity(std::string_view)> severity_of =
      {};                                                // Reads up to 64 bytes past the line.
  std::function<bool(std::string_view)> matches = {};    // Empty: every text.
  std::function<bool(WorkerId, StreamKind)> wants = {};  // Empty: every stream. Asked once a batch.
  // What lies in an active file without an index too. Once it has one, it is not given again: who
  // goes by the numbers of lines must not see it before.
  bool unindexed = true;
};

class LogReader {
 public:
  // A log that does not exist yet opens too, and has no lines for now.
  LogReader(Fs& fs, LogDir dir, LineFilter filter = {});
  ~LogReader();
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;

  // Where next() begins; without a call, at the oldest line.
  void seek_start();
  void seek_end();
  void seek_time(std::int64_t time_ns);  // At the batch that may hold the first line so late.
  // At the batch that holds the first line with this number or a later one, of this epoch or a
  // later one. What it has before that line is given too, and the rest of a line whose beginning
  // lies before it. `segment` had the line when last seen.
  void seek_seq(std::uint32_t epoch, std::uint64_t seq, std::uint64_t segment = 0);
  // At the n-th wanted line from the end. Without `level` and `matches` only records are read for
  // it.
  void last_lines(std::uint64_t n);
  // For whoever makes other things than lines of them: back from the end by `lines`, and further
  // until `enough`, which reads by next() up to where the log ended when this began, is content or
  // has been given the whole log. Then next() begins there once more.
  using Enough = std::function<bool(bool whole_log)>;
  void seek_back(std::uint64_t lines, const Enough& enough);

  // The next wanted line, valid until the next call. nullopt: there is none for now.
  std::optional<LogLine> next();
  // Behind the last next(): lines whose end has not been recorded. Call until there is none. What
  // comes of them later is given as a line of its own.
  std::optional<LogLine> next_unfinished();
  bool has_unfinished() const;
  std::optional<std::uint64_t> oldest_unfinished_seq() const;  // Of lines read in part.

  // Where the sequence numbers do not go on one by one, since the last call.
  struct NumberBreak {
    std::uint64_t missing = 0;      // Lines between: nobody can read them any more.
    std::uint64_t end = 0;          // The first number behind them.
    std::uint64_t segment = 0;      // That had the last line before them; 0: not known.
    bool segments_removed = false;  // … because their segment is gone.
    std::uint64_t shift = 0;        // A new epoch: numbers go on from the old ones plus this
                                    // (modulo 2^64).
    std::optional<std::uint64_t> first = {};  // The first number seen, after a start or an end.
    std::uint32_t epoch = 0;
  };
  std::vector<NumberBreak> take_number_breaks();
  // Where the log ends, after seek_end(); nullopt: nothing has been recorded.
  struct EndPosition {
    std::uint32_t epoch = 0;
    std::uint64_t seq = 0, segment = 0;
  };
  std::optional<EndPosition> end_position() const;
  std::optional<std::uint64_t> next_number() const;  // Of the line that next() would give.

  void directory_changed();  // Segments may have come or gone.
  void release_memory();     // Buffers; the next line costs a read more.
  void close_files();        // The next line costs two open(2) more. Not between lines of a batch.
  bool has_open_files() const { return current_ && !current_->closed(); }
  bool has_open_stream() const { return current_ && current_->has_open_stream(); }  // As last read.
  const LogDir& dir() const { return dir_; }
  bool unindexed() const;  // It reads an active file that pmx did not write.
  std::vector<std::string> take_warnings();
  // The last next(), or a seek since, failed because of an error that may pass (too many open
  // files, a directory that cannot be read): nobody will tell that it has, so the caller must try
  // again by itself. next() takes up a seek that failed; end_position() knows nothing until then.
  bool trouble() const { return trouble_; }
  const std::string& trouble_text() const { return trouble_text_; }

 private:
  // Where the reader is: the next record of current_.
  struct Position {
    std::uint64_t segment = 0, record = 0;
  };
  enum class Step { kAgain, kLine, kEnd };

  // log_reader.cpp: forward.
  std::optional<LogLine> next_wanted();
  Step next_record();
  bool take_up();
  void note_numbers(const Record& record, std::uint64_t count);
  Step take_record(const Record& record);
  Step take_data(const Record& record);
  bool next_segment();
  bool goes_on() const;
  enum class Opened { kYes, kGone, kLater };
  Opened open(std::uint64_t segment);
  std::optional<LogLine> unskipped(const LogLine& line);
  std::optional<LogLine> next_of_batch();
  bool may_hold_wanted(const Record& record, const SegmentReader::Source& source) const;
  bool wanted(const LogLine& line) const;
  bool severe_enough(const LogLine& line) const;
  void warn(std::string text);
  Step failed_for_now(const Error& error);
  bool found(const Result<std::optional<std::uint64_t>>& segment);

  // log_seek.cpp: from the end backwards.
  void restart(bool at_start);
  void to_last_record();
  bool seek_seq(EndPosition to);
  bool back_by_lines(std::uint64_t n, std::uint64_t& lines);
  void last_filtered_lines(std::uint64_t n);
  std::uint64_t line_starts(const Record& record, std::uint64_t number) const;

  Fs& fs_;
  LogDir dir_;
  LineFilter filter_;
  std::unique_ptr<SegmentList> segments_;
  std::unique_ptr<LineJoiner> joiner_;
  std::unique_ptr<SegmentReader> current_;  // nullptr: before the first.
  std::uint64_t segment_ = 0, record_ = 0;  // The next record of segment_.
  std::uint64_t skip_lines_ = 0;            // Wanted ones that last_lines() does not want.
  std::uint64_t passed_offset_ = 0;         // Text that was read before it had an index.
  std::optional<EndPosition> seek_again_;   // Where a segment could not be opened for now.
  bool seek_end_again_ = false;
  std::optional<Position> stop_;  // Only while last_lines() counts.
  bool warned_of_text_ = false;   // Once a segment.
  bool trouble_ = false;
  std::string trouble_text_;  // Said once, while it lasts.
  bool lines_end_ = false;    // Half lines are given out before the next record.
  // The batch being read.
  std::string_view rest_;
  Record batch_;
  SegmentReader::Source source_;
  std::int64_t line_ = 0;  // Number in the batch.
  LogLine given_;          // Of Step::kLine.
  std::string notice_;
  struct Number {
    std::uint32_t epoch = 0;
    std::uint64_t seq = 0;
  };
  std::optional<Number> number_;      // Behind the last record read.
  std::uint64_t number_segment_ = 0;  // That had it, as we have read or been told.
  bool number_read_ = false;
  std::vector<NumberBreak> breaks_;
  std::vector<std::string> warnings_;
};

}  // namespace pmx::rotate
