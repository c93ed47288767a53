// Into how many streams of the store one stream of lines has to be divided, and which of them a
// line is for.
//
// Loki divides by itself what is above shard_streams.desired_rate (1536 KB/s), in turn and not by
// content, so that a request sent twice lands in other streams and its repeats are seen. What it
// compares is the stream's rate and the size of the push together (distributor.go,
// calculateShards(rate, pushSize * pushes a second, desired)): one push a second counts twice. So a
// stream stays whole below half of that, kShardBytes a second; above it is divided by sequence
// number, which a repeat repeats.
//
// The measure is what was added within a second or more, by the time that the caller gives. The
// number goes up at once, by powers of two to kMaxShards; down by half after kQuiet below a
// quarter. A daemon that takes over goes on from the last one's Measure: daemons that end one after
// the other within the measure's second would else each send as much as a quiet stream may.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace pmx::ship::internal {

class StreamShards {
 public:
  static constexpr std::uint64_t kShardBytes = 700'000;
  static constexpr unsigned kMaxShards = 32;
  static constexpr std::uint64_t kLinesInARow = 1024;  // Neighbours stay together: they compress.
  static constexpr std::chrono::nanoseconds kQuiet = std::chrono::minutes(1);

  unsigned count() const { return count_; }
  // From count() to below twice that: no number of one count is one of another. A burst that makes
  // the number grow so begins with streams that have had nothing yet.
  unsigned shard_of(std::uint64_t seq) const {
    return count_ + static_cast<unsigned>(seq / kLinesInARow) % count_;
  }
  // True: it is time for look().
  bool add(std::size_t size_bytes) {
    bytes_ += size_bytes;
    return bytes_ >= next_look_bytes_;
  }
  void look(std::chrono::nanoseconds now);

  struct Measure {
    unsigned count = 1;
    std::uint64_t bytes = 0;  // Since `begin`.
    std::chrono::nanoseconds begin{0}, quiet{0};
  };
  Measure measure() const { return {count_, bytes_, begin_, quiet_}; }
  // Of an earlier process that had the same clock. One that cannot be is ignored.
  void go_on_from(const Measure& measure);
  // Of others the next process may know nothing.
  bool worth_keeping() const { return count_ > 1 || bytes_ >= kLookEveryBytes; }

 private:
  static constexpr std::uint64_t kLookEveryBytes =
      64U << 10U;  // A look asks the clock: not for each line.

  unsigned count_ = 1;
  std::uint64_t bytes_ = 0, next_look_bytes_ = 0;  // Since begin_.
  bool began_ = false;
  std::chrono::nanoseconds begin_{0}, quiet_{0};
};

}  // namespace pmx::ship::internal
