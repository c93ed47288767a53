// Most lines continue nothing, and nothing continues them; but that shows only with the stream's
// next line. So each is copied into its stream's buffer and given out when that comes, which is
// what it costs: ns a line of 211 bytes (-O2, one core, best of 60): text 33, an object 11.
#include "ship/multiline.h"

#include <algorithm>
#include <cstring>

#include "ship/internal/trace_lines.h"

namespace pmx::ship {
namespace {

constexpr std::size_t kReadableBehindBytes = 64;
constexpr std::size_t kKeptBufferBytes = 32U << 10U;  // What a stream keeps for its next event.
constexpr std::size_t kMaxIdleStreams = 256;          // Not ended, as far as anybody said.
// An event dated further ahead than this was written before the clock was set back.
constexpr std::int64_t kAheadNs = 10 * MultilineJoiner::kQuietNs;

std::uint64_t last_seq_of(const MultilineJoiner::Line& line) {
  if (line.end_seq > 0) return line.end_seq - 1;
  return line.seq + std::max<std::uint32_t>(line.lines, 1) - 1;
}

// From '{' to '}': JSON, or an object in one line.
bool is_object(std::string_view text) {
  if (!text.starts_with('{')) return false;
  while (text.back() == ' ' || text.back() == '\r') text.remove_suffix(1);
  return text.ends_with('}');
}

}  // namespace

// An event that may go on. Its last line may be one that belongs to it only if the next line says
// so: `maybe`.
struct MultilineJoiner::Open {
  StreamId stream;
  bool open = false;
  bool has_maybe = false;
  internal::Trace trace = internal::Trace::kPlain;
  std::uint32_t line_count = 0;
  Line head, maybe;  // But for their texts.
  std::int64_t last_time_ns = 0;
  std::size_t head_bytes = 0;  // Without the newline and text of `maybe`.
  std::size_t size_bytes = 0;
  std::string buffer;  // Larger than the text by kReadableBehindBytes; grows only.

  std::string_view text() const { return std::string_view(buffer).substr(0, size_bytes); }
  void put(std::string_view text) {
    if (buffer.size() < size_bytes + text.size() + kReadableBehindBytes)
      buffer.resize(2 * (size_bytes + text.size()) + 4 * kReadableBehindBytes);
    std::memcpy(buffer.data() + size_bytes, text.data(), text.size());
    size_bytes += text.size();
  }
  bool has_room_for(const Line& line) const {
    return line_count < kMaxLines && size_bytes + 1 + line.text.size() <= kMaxBytes;
  }
  void settle() {
    head.lines += maybe.lines;
    head.last_seq = maybe.last_seq;
    has_maybe = false;
  }
};

MultilineJoiner::MultilineJoiner(Emit emit) : emit_(std::move(emit)) {}
MultilineJoiner::~MultilineJoiner() = default;

MultilineJoiner::Open& MultilineJoiner::open_of(StreamId stream) {
  if (last_ != nullptr && last_->stream == stream) return *last_;
  std::unique_ptr<Open>& open = streams_[stream];
  if (open == nullptr) {
    open = std::make_unique<Open>();
    open->stream = stream;
  }
  last_ = open.get();
  return *open;
}

void MultilineJoiner::add(const Line& line) {
  Open& open = open_of(line.stream);
  if (line.notice || is_object(line.text) || line.text.size() >= kMaxBytes) {
    if (open.open) give_out(open);
    Line alone = line;
    alone.last_seq = last_seq_of(line);
    return emit_(alone);
  }
  if (open.open && join(open, line)) return;
  if (open.open) give_out(open);
  begin(open, line);
}

void MultilineJoiner::begin(Open& open, const Line& line) {
  open.open = true;
  open.has_maybe = false;
  open.trace = internal::trace_begun_by(line.text);
  open.line_count = 1;
  open.head = line;
  open.head.last_seq = last_seq_of(line);
  open.last_time_ns = line.time_ns;
  open.size_bytes = 0;
  open.put(line.text);
}

// False: `line` begins another event; what is open may have been given out in part.
bool MultilineJoiner::join(Open& open, const Line& line) {
  if (line.time_ns - open.last_time_ns > kQuietNs) return false;
  if (open.has_maybe) {
    const auto trace =
        open.has_room_for(line) ? internal::settled(open.trace, line.text) : std::nullopt;
    if (trace) {
      open.settle();
      append(open, line);
      open.settle();
      open.trace = *trace;
      return true;
    }
    split(open);
  }
  if (!open.has_room_for(line)) return false;
  const internal::Step step = internal::step(open.trace, open.text(), open.line_count, line.text);
  if (step.join == internal::Join::kNo) return false;
  append(open, line);
  if (step.join == internal::Join::kYes) open.settle();
  open.trace = step.trace;
  return true;
}

// As one that may belong to the event.
void MultilineJoiner::append(Open& open, const Line& line) {
  open.has_maybe = true;
  open.head_bytes = open.size_bytes;
  open.maybe = line;
  open.maybe.last_seq = last_seq_of(line);
  open.put("\n");
  open.put(line.text);
  ++open.line_count;
  open.last_time_ns = line.time_ns;
}

// The event ended before its last line, which begins the next one: as it would if it were read
// again without what was before.
void MultilineJoiner::split(Open& open) {
  open.head.text = open.text().substr(0, open.head_bytes);
  emit_(open.head);
  const std::size_t begin_bytes = open.head_bytes + 1;
  open.size_bytes -= begin_bytes;
  std::memmove(open.buffer.data(), open.buffer.data() + begin_bytes, open.size_bytes);
  open.head = open.maybe;
  open.has_maybe = false;
  open.line_count = 1;
  open.trace = internal::trace_begun_by(open.text());
}

void MultilineJoiner::give_out(Open& open) {
  if (open.has_maybe) split(open);
  open.open = false;
  open.head.text = open.text();
  emit_(open.head);
  if (open.buffer.size() > kKeptBufferBytes) open.buffer = {};
}

void MultilineJoiner::clear() {
  streams_.clear();
  last_ = nullptr;
}

void MultilineJoiner::end_stream(StreamId stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  if (found->second->open) give_out(*found->second);
  if (last_ == found->second.get()) last_ = nullptr;
  streams_.erase(found);
}

void MultilineJoiner::flush_older_than(std::int64_t time_ns) {
  for (const auto& [stream, open] : streams_) {
    const bool quiet = open->last_time_ns < time_ns || open->last_time_ns - kAheadNs > time_ns;
    if (open->open && quiet) due_.push_back(open.get());
  }
  std::sort(due_.begin(), due_.end(),
            [](const Open* a, const Open* b) { return a->head.seq < b->head.seq; });
  for (Open* const open : due_) give_out(*open);
  due_.clear();
  if (streams_.size() <= kMaxIdleStreams) return;
  last_ = nullptr;
  std::erase_if(streams_, [](const auto& stream) { return !stream.second->open; });
}

void MultilineJoiner::flush_all() { flush_older_than(INT64_MAX); }

std::optional<std::uint64_t> MultilineJoiner::oldest_open_seq() const {
  std::optional<std::uint64_t> oldest;
  for (const auto& [stream, open] : streams_)
    if (open->open && (!oldest || open->head.seq < *oldest)) oldest = open->head.seq;
  return oldest;
}

std::optional<std::int64_t> MultilineJoiner::oldest_open_time() const {
  std::optional<std::int64_t> oldest;
  for (const auto& [stream, open] : streams_)
    if (open->open && (!oldest || open->last_time_ns < *oldest)) oldest = open->last_time_ns;
  return oldest;
}

std::size_t MultilineJoiner::open_bytes() const {
  std::size_t size_bytes = 0;
  for (const auto& [stream, open] : streams_)
    if (open->open) size_bytes += open->size_bytes;
  return size_bytes;
}

}  // namespace pmx::ship
