// Joins the lines that belong together (a stack trace of Node, Python, Java, Go or Ruby, an object
// that util.inspect has laid out) into one, for stores that take single records.
//
// A line that continues the one before it in the same stream is known by its beginning (white
// space, "at ", "Caused by:", "... 12 more", a lone closing bracket) or by what came before
// ("Traceback (most recent call last):" is followed until its exception line, "panic:" until a line
// that is no goroutine's). An empty line belongs to a trace only where the trace goes on behind it;
// else it stands alone. A line that is an object from '{' to '}' never continues nor is continued.
// internal/trace_lines.h has the patterns.
//
// What is joined depends on the lines alone and on their times, never on when flush_older_than() is
// called, as long as it is called for what is kQuietNs old: lines that are read again make the same
// events, provided that reading starts where no event is cut in two (Line::last_seq).
//
// Owns:    a copy of each stream's open lines. Thread: any, one at a time; not from within `emit`.
// Bounds:  kMaxLines lines or kMaxBytes a joined event, then it is given out and a new one begins.
//          No memory is asked for while streams and sizes stay as they were.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/ids.h"

namespace pmx::ship {

class MultilineJoiner {
 public:
  static constexpr std::uint32_t kMaxLines = 500;
  static constexpr std::size_t kMaxBytes = 256U << 10U;
  // A line that comes later than this after the one before it begins a new event.
  static constexpr std::int64_t kQuietNs = 100'000'000;

  struct Line {
    std::string_view text;  // Without its newline; 64 readable bytes behind it.
    std::int64_t time_ns = 0;
    std::uint64_t seq = 0;
    std::uint32_t lines = 1;  // Sequence numbers that it stands for.
    StreamId stream = {};
    WorkerId worker = {};
    StreamKind kind = StreamKind::kOut;
    bool notice = false;        // Never joined with anything.
    std::uint64_t end_seq = 0;  // Of a line in pieces: behind the last of them; 0: seq + lines.
    // Given out: the last sequence number in it. Streams interleave, so others' lines may lie
    // between. A cursor between `seq` and this would read the rest again as an event of its own.
    std::uint64_t last_seq = 0;
  };
  // Given out: Line of the first line, `text` with newlines between, `lines` summed. The text is
  // valid during the call and has 64 readable bytes behind it.
  using Emit = std::function<void(const Line&)>;

  explicit MultilineJoiner(Emit emit);
  ~MultilineJoiner();
  void add(const Line& line);        // May give out the stream's open event before it.
  void end_stream(StreamId stream);  // Nothing more will come of it.
  // Events whose last line is older, or dated far ahead (the clock was set back): nobody continues
  // them now. In the order of their numbers.
  void flush_older_than(std::int64_t time_ns);
  void flush_all();
  void clear();  // Without giving anything out: it will be read again.
  // What a cursor may not go past.
  std::optional<std::uint64_t> oldest_open_seq() const;
  std::optional<std::int64_t> oldest_open_time() const;  // Of an open event's last line.
  std::size_t open_bytes() const;

 private:
  struct Open;
  Open& open_of(StreamId stream);
  void begin(Open& open, const Line& line);
  bool join(Open& open, const Line& line);
  void append(Open& open, const Line& line);
  void split(Open& open);
  void give_out(Open& open);

  Emit emit_;
  std::unordered_map<StreamId, std::unique_ptr<Open>> streams_;  // Those without lines too.
  Open* last_ = nullptr;    // Of the stream that the last line was of.
  std::vector<Open*> due_;  // While flushing.
};

}  // namespace pmx::ship
