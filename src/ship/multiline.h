// Joins the lines that belong together (a stack trace of Node, Python, Java, Go or Ruby, an object
// that util.inspect has laid out) into one, for stores that take single records.
//
// A line that continues the one before it in the same stream is known by its beginning (white space,
// "at ", "Caused by:", "... 12 more", a lone closing bracket) or by what came before
// ("Traceback (most recent call last):" is followed until its exception line, "panic:" until a line
// that is no goroutine's). A line that is JSON never continues nor is continued.
//
// Owns:    a copy of each stream's open lines. Thread: any, one at a time.
// Bounds:  kMaxLines lines or kMaxBytes a joined event, then it is given out and a new one begins.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "model/ids.h"

namespace pmx::ship {

class MultilineJoiner {
 public:
  static constexpr std::uint32_t kMaxLines = 500;
  static constexpr std::size_t kMaxBytes = 256U << 10U;

  struct Line {
    std::string_view text;  // Without its newline.
    std::int64_t time_ns = 0;
    std::uint64_t seq = 0;
    std::uint32_t lines = 1;    // Sequence numbers that it stands for.
    std::uint64_t end_seq = 0;  // Behind the last of them.
    StreamId stream;
    WorkerId worker;
    StreamKind kind = StreamKind::kOut;
    bool notice = false;  // Never joined with anything.
  };
  // Given out: Line of the first line, `text` with newlines between, `lines` summed,
  // `end_seq` of the last. The text is valid during the call and has 64 readable bytes behind it.
  using Emit = std::function<void(const Line&)>;

  explicit MultilineJoiner(Emit emit) : emit_(std::move(emit)) {}
  void add(const Line& line);        // May give out the stream's open event before it.
  void end_stream(StreamId stream);  // Nothing more will come of it.
  // Events whose last line is older: nobody continues them now.
  void flush_older_than(std::int64_t time_ns);
  void flush_all();
  void clear() { open_.clear(); }  // Without giving them out: they will be read again.
  // What a cursor may not go past.
  std::optional<std::uint64_t> oldest_open_seq() const;
  std::optional<std::int64_t> oldest_open_time() const;  // Of an open event's last line.
  std::size_t open_bytes() const;

 private:
  struct Open;
  Emit emit_;
  std::map<StreamId, Open> open_;  // Ordered by stream: few.
};

}  // namespace pmx::ship
