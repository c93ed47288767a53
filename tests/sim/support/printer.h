// What one run of a worker prints to one of its pipes, and what of it must be found in the files.
//
// Positions are those of the ring: bytes that were dropped from the pipe have none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/support/dice.h"

namespace pmx::sim {

struct PrintStyle {
  std::string tag;        // Begins every line, with its number; "": lines are not numbered.
  bool any_byte = false;  // NUL, CR, broken UTF-8; else printable ASCII.
  std::uint64_t longest_bytes = 60'000;
};

// A line as a reader must give it.
struct ExpectedLine {
  std::string text;
  std::uint64_t end = 0;    // Ring position behind it.
  bool has_newline = true;  // Or was ended by us: false only for the last words of a stream.
};

class Printer {
 public:
  Printer(PrintStyle style, std::uint64_t seed) : style_(std::move(style)), dice_(seed) {}

  void print_line(bool newline);
  std::string_view unwritten() const { return std::string_view(printed_).substr(written_); }
  void wrote(std::uint64_t bytes) { written_ += bytes; }
  std::uint64_t written() const { return written_; }
  std::uint64_t dropped() const { return dropped_bytes_; }
  // These bytes left the pipe for nowhere while the ring's head was at `head`.
  void drop(std::uint64_t head, std::uint64_t bytes);

  // All that is in the pipe or came out of it, in lines. `piece_bytes`: longer lines are cut there
  // (logs that are merged), 0: none.
  std::vector<ExpectedLine> lines(std::uint64_t piece_bytes) const;

 private:
  std::uint64_t line_size();

  PrintStyle style_;
  Dice dice_;
  std::string printed_;
  std::uint64_t written_ = 0, dropped_bytes_ = 0, number_ = 0;
  struct Drop {
    std::uint64_t at, bytes;  // Ring position; one after the other.
  };
  std::vector<Drop> drops_;
};

}  // namespace pmx::sim
