#include "rotate/internal/line_joiner.h"

#include <utility>

namespace pmx::rotate {

void LineJoiner::reset(Unbegun unbegun) {
  unbegun_ = unbegun;
  unfinished_.clear();
  alone_.clear();
}

LogLine LineJoiner::give(Unfinished& unfinished, bool has_newline) {
  given_ = std::move(unfinished.text);
  unfinished.text.clear();
  const std::size_t size = given_.size();
  given_.append(kReadablePastEnd, '\0');
  LogLine line = unfinished.first;
  line.text = std::string_view(given_).substr(0, size);
  line.has_newline = has_newline;
  return line;
}

std::optional<LogLine> LineJoiner::before(const Piece& piece) {
  const auto begun = unfinished_.find(piece.stream);
  if (begun == unfinished_.end()) return std::nullopt;
  if (!continues(piece)) return end_stream(piece.stream);
  Unfinished& unfinished = begun->second;
  if (unfinished.text.empty() || unfinished.text.size() + piece.line.text.size() <= kMaxJoinedBytes)
    return std::nullopt;
  unfinished.some_given = true;
  const LogLine line = give(unfinished, false);
  unfinished.first = piece.line;
  unfinished.first.lines = 0;  // add() counts it.
  return line;
}

std::optional<LogLine> LineJoiner::add(const Piece& piece) {
  const bool unbegun = continues(piece);
  if (piece.alone)
    alone_.insert(piece.stream);
  else
    alone_.erase(piece.stream);
  const auto begun = unfinished_.find(piece.stream);
  if (begun == unfinished_.end()) {
    if (unbegun && unbegun_ == Unbegun::kHide) return std::nullopt;
    if (!piece.goes_on) return piece.line;
    unfinished_[piece.stream] = {std::string(piece.line.text), piece.line};
    return std::nullopt;
  }
  begun->second.text += piece.line.text;
  begun->second.first.lines += piece.line.lines;
  begun->second.first.end_seq = piece.line.end_seq;
  if (piece.goes_on) return std::nullopt;
  const LogLine line = give(begun->second, piece.line.has_newline);
  unfinished_.erase(begun);
  return line;
}

std::optional<LogLine> LineJoiner::end_stream(StreamId stream) {
  const auto begun = unfinished_.find(stream);
  if (begun == unfinished_.end()) return std::nullopt;
  const bool nothing_left = begun->second.some_given && begun->second.text.empty();
  const LogLine line = give(begun->second, false);
  unfinished_.erase(begun);
  return nothing_left ? std::nullopt : std::optional(line);
}

std::optional<std::uint64_t> LineJoiner::oldest_unfinished_seq() const {
  std::optional<std::uint64_t> oldest;
  for (const auto& [stream, unfinished] : unfinished_)
    if (!oldest || unfinished.first.seq < *oldest) oldest = unfinished.first.seq;
  return oldest;
}

std::optional<LogLine> LineJoiner::take_unfinished() {
  while (!unfinished_.empty()) {
    const StreamId stream = unfinished_.begin()->first;
    alone_.insert(stream);
    if (const auto line = end_stream(stream)) return line;
  }
  return std::nullopt;
}

}  // namespace pmx::rotate
