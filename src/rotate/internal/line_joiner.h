// Puts the pieces of one stream's line together, across records and segments, while the lines of
// other streams may come in between.
//
// Thread:  any, one at a time.
// Bounds:  kMaxJoinedBytes a stream: a longer line is given out in pieces.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "rotate/log_line.h"
#include "rotate/segment_reader.h"

namespace pmx::rotate {

inline constexpr std::size_t kMaxJoinedBytes = 1U << 20U;

class LineJoiner {
 public:
  struct Piece {
    LogLine line;
    StreamId stream;
    bool continues = false;  // Its beginning is in an earlier record.
    bool goes_on = false;    // Its end is in a later one.
    bool alone = false;      // Is a line of its own in the file, and so is what continues it.
  };
  // Pieces without their beginning: shown as they are, or not at all (behind a seek, which went
  // past it).
  enum class Unbegun { kShow, kHide };

  void reset(Unbegun unbegun);
  // What must be given out before this piece: a line whose end never came, or one that has reached
  // its bound. Lines given are valid until the next call.
  std::optional<LogLine> before(const Piece& piece);
  std::optional<LogLine> add(const Piece& piece);      // The line, where it is whole now.
  std::optional<LogLine> end_stream(StreamId stream);  // What is left of its last line.
  // Of any stream; call until there is none. What continues it then is a line of its own.
  std::optional<LogLine> take_unfinished();
  bool has_unfinished() const { return !unfinished_.empty(); }
  std::optional<std::uint64_t> oldest_unfinished_seq() const;

 private:
  struct Unfinished {
    std::string text;
    LogLine first;
    bool some_given = false;  // Of a line over the bound.
  };
  LogLine give(Unfinished& unfinished, bool has_newline);
  bool continues(const Piece& piece) const {
    return piece.continues && !alone_.contains(piece.stream);
  }

  Unbegun unbegun_ = Unbegun::kShow;
  std::map<StreamId, Unfinished> unfinished_;
  std::set<StreamId> alone_;  // Whose last piece was.
  std::string given_;
};

}  // namespace pmx::rotate
