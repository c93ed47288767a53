#include "sim/support/printer.h"

#include <algorithm>

namespace pmx::sim {

// Mostly short; some of a page or more, which pipes take in parts; few that no batch can hold.
std::uint64_t Printer::line_size() {
  switch (dice_.below(40)) {
    case 0:
      return dice_.below(style_.longest_bytes / 10);
    case 1:
      return dice_.one_in(6) ? dice_.below(style_.longest_bytes) : dice_.below(5000);
    case 2:
    case 3:
    case 4:
      return dice_.below(3000);
    default:
      return dice_.one_in(2) ? dice_.below(20) : dice_.below(200);
  }
}

void Printer::print_line(bool newline) {
  if (!style_.tag.empty()) printed_ += style_.tag + std::to_string(number_) + ' ';
  ++number_;
  const std::size_t from = printed_.size();
  printed_.resize(from + line_size());
  std::uint64_t bits = 0;
  for (std::size_t i = from; i < printed_.size(); ++i) {
    if ((i - from) % 8 == 0) bits = dice_.next();
    const auto byte = static_cast<unsigned char>(bits >> (8 * ((i - from) % 8)));
    printed_[i] = static_cast<char>(style_.any_byte ? byte : 0x20 + byte % 0x5F);
    if (printed_[i] == '\n') printed_[i] = '\r';
  }
  if (newline || printed_.empty()) printed_ += '\n';
}

void Printer::drop(std::uint64_t head, std::uint64_t bytes) {
  if (bytes == 0) return;
  dropped_bytes_ += bytes;
  drops_.push_back({head, bytes});
}

std::vector<ExpectedLine> Printer::lines(std::uint64_t piece_bytes) const {
  std::vector<ExpectedLine> all;
  ExpectedLine line;
  const auto end_line = [&](std::uint64_t position) {
    line.end = position;
    all.push_back(std::move(line));
    line = {};
  };
  std::uint64_t position = 0;
  std::size_t next_drop = 0;
  bool open = false;  // A line has begun: also an empty rest behind a piece.
  for (std::uint64_t at = 0; at < written_;) {
    if (next_drop < drops_.size() && drops_[next_drop].at == position) {
      at += drops_[next_drop++].bytes;
      if (open) end_line(position);  // The line's rest was dropped: it is ended there.
      open = false;
      continue;
    }
    std::uint64_t stop = written_;
    if (next_drop < drops_.size()) stop = at + (drops_[next_drop].at - position);
    const std::size_t newline = printed_.find('\n', at);
    const std::uint64_t room = piece_bytes == 0 ? written_ : piece_bytes - line.text.size();
    const std::uint64_t line_end = newline == std::string::npos ? written_ : newline;
    const std::uint64_t to = std::min({stop, line_end, at + room});
    line.text.append(printed_, at, to - at);
    open = open || to > at;
    position += to - at;
    at = to;
    if (piece_bytes != 0 && line.text.size() == piece_bytes) {
      end_line(position);  // Open goes on: what follows is the same line's rest.
    } else if (at < stop && at == newline) {
      end_line(++position);
      ++at;
      open = false;
    }
  }
  if (!line.text.empty()) {
    line.has_newline = false;
    end_line(position);
  }
  return all;
}

}  // namespace pmx::sim
