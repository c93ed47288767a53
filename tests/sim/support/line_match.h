// Whether lines come as they were printed: each once, each stream's in order.
//
// The lines of all streams of one log come mixed; each must be the next expected one of some
// stream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/support/log_under_test.h"

namespace pmx::sim {

class LineMatch {
 public:
  struct Options {
    // A merged log has a line over 256 KiB in pieces, each a line of its own; readers put the
    // pieces together where the file has the worker's bytes.
    bool in_pieces = false;
    bool joined = false;  // By a reader, which gives what it has of a line whose rest is gone.
    // A line without a newline stands in front of the next run's first: the bytes of a raw log.
    bool glued = false;
    enum class Gaps { kNone, kAtTheStart, kAnywhere } gaps = Gaps::kNone;
  };
  LineMatch(const LogUnderTest& log, Options options);

  // False: nobody has printed this line, or not yet, or it was there before.
  bool take(std::string_view text, bool has_newline = true, const WorkerId* worker = nullptr,
            StreamKind kind = StreamKind::kOut);
  std::size_t seen(std::size_t feeder) const { return feeders_[feeder].next; }
  // Lines that lie wholly before this ring position.
  std::size_t lines_before(std::size_t feeder, std::uint64_t position) const;
  std::size_t lines(std::size_t feeder) const { return feeders_[feeder].lines.size(); }
  std::string expected() const;  // What could have come: for the failure's text.

 private:
  struct Feeder {
    const HeldStream* held;
    std::vector<ExpectedLine> lines;
    std::size_t next = 0;
    std::size_t half_bytes = 0;  // Of the next line: its recorded half was given as a line.
    bool over = false;           // Lost, and its half line has been seen.
  };
  enum class Part { kWhole, kHalf };
  bool take_next(Feeder& feeder, std::string_view text, bool has_newline, Part part);
  bool take_glued(std::string_view text, bool has_newline);
  bool take_front(Feeder& feeder, std::string_view text, bool has_newline, Part part);
  bool take_later(std::string_view text, const WorkerId* worker, StreamKind kind);

  Options options_;
  bool one_by_one_;
  std::vector<Feeder> feeders_;
  std::size_t latest_ = 0;  // Whose line came last: most often the next one's too.
};

// What a log that redacts takes out: of one byte, so that what it was can be told.
inline constexpr char kSecret = '7';

// The worker's line in what the file has of it.
std::string decoded(std::string_view text, const RenderSpec& render);

}  // namespace pmx::sim
