// Lines of up to four streams, interleaved: what is given out of a stream is, together, what went
// in; numbers and bounds are right; and reading again from any number that cuts no event in two
// makes the same events.
//
// Input: lines; the first byte of each says which stream, and now and then a pause or a flush.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ship/multiline.h"

namespace {

using pmx::ship::MultilineJoiner;

struct Owned {
  std::string text;
  MultilineJoiner::Line line;
};

void must(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

constexpr unsigned kStreamBits = 3, kPauseBits = 0x1C, kFlushBits = 0x60;

std::vector<Owned> lines_of(std::string_view input) {
  std::vector<Owned> lines;
  std::int64_t time_ns = 1000;
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view text = input.substr(0, end);
    const unsigned choice = text.empty() ? 0 : static_cast<unsigned char>(text[0]);
    Owned& owned = lines.emplace_back();
    owned.text = text.substr(text.empty() ? 0 : 1);
    time_ns += (choice & kPauseBits) == kPauseBits ? MultilineJoiner::kQuietNs + 1 : 1;
    owned.line.time_ns = time_ns;
    owned.line.seq = lines.size();
    owned.line.stream = {choice & kStreamBits};
    owned.line.notice = choice == 0x7F;
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  return lines;
}

struct Given {
  std::string text;
  std::uint64_t seq = 0, last_seq = 0;
  std::uint32_t lines = 0;
  std::uint64_t stream = 0;
  bool operator==(const Given&) const = default;
};

// `flushing`: now and then for what is kQuietNs old, as an engine would with the clock.
std::vector<Given> join(const std::vector<Owned>& lines, std::uint64_t from_seq, bool flushing) {
  std::vector<Given> given;
  std::map<std::uint64_t, std::uint64_t> open;  // Number to stream, of lines not given out.
  MultilineJoiner joiner([&](const MultilineJoiner::Line& line) {
    given.push_back(
        {std::string(line.text), line.seq, line.last_seq, line.lines, line.stream.value});
    for (std::uint64_t seq = line.seq; seq <= line.last_seq; ++seq)
      if (const auto found = open.find(seq);
          found != open.end() && found->second == line.stream.value)
        open.erase(found);
  });
  for (const Owned& owned : lines) {
    if (owned.line.seq < from_seq) continue;
    if (flushing && (owned.line.seq * 7 & kFlushBits) == 0)
      joiner.flush_older_than(owned.line.time_ns - MultilineJoiner::kQuietNs);
    std::string padded = owned.text + std::string(64, ' ');
    MultilineJoiner::Line line = owned.line;
    line.text = std::string_view(padded).substr(0, owned.text.size());
    open[line.seq] = line.stream.value;
    joiner.add(line);
    const auto oldest = joiner.oldest_open_seq();
    must(oldest.has_value() == !open.empty(), "oldest_open_seq() is there with open lines only");
    must(!oldest || *oldest == open.begin()->first, "oldest_open_seq() is not exact");
    must((joiner.open_bytes() == 0) || !open.empty(), "bytes without lines");
  }
  joiner.flush_all();
  must(!joiner.oldest_open_seq() && joiner.open_bytes() == 0 && open.empty(), "something is left");
  return given;
}

std::map<std::uint64_t, std::string> by_stream(const std::vector<Given>& given) {
  std::map<std::uint64_t, std::string> texts;
  for (const Given& event : given) texts[event.stream] += event.text + "\n";
  return texts;
}

void check_reading_again(const std::vector<Owned>& lines, const std::vector<Given>& given,
                         std::uint64_t from_seq) {
  std::map<std::uint64_t, Given> expected;
  for (const Given& event : given) {
    if (event.seq < from_seq && event.last_seq >= from_seq) return;  // Cut in two.
    if (event.seq >= from_seq) expected[event.seq] = event;
  }
  for (const Given& event : join(lines, from_seq, false))
    must(expected.contains(event.seq) && expected[event.seq] == event, "read again, another event");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const auto lines = lines_of({reinterpret_cast<const char*>(data), size_bytes});
  const std::vector<Given> given = join(lines, 0, false);
  std::map<std::uint64_t, std::string> expected;
  for (const Owned& owned : lines) expected[owned.line.stream.value] += owned.text + "\n";
  must(by_stream(given) == expected, "what came out is not what went in");
  std::uint64_t count = 0;
  for (const Given& event : given) {
    must(event.lines >= 1 && event.lines <= MultilineJoiner::kMaxLines, "lines out of bounds");
    must(event.last_seq >= event.seq + event.lines - 1, "too few numbers for its lines");
    count += event.lines;
  }
  must(count == lines.size(), "lines are lost or made up");
  std::map<std::uint64_t, Given> calm, flushed;
  for (const Given& event : given) calm[event.seq] = event;
  for (const Given& event : join(lines, 0, true)) flushed[event.seq] = event;
  must(calm == flushed, "flushing in time changes what is joined");
  const std::size_t step = lines.size() / 8 + 1;
  for (std::size_t seq = 1; seq <= lines.size(); seq += step)
    check_reading_again(lines, given, seq);
  return 0;
}
