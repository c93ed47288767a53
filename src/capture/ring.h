// One stream's bytes between pipe and file: 1 MiB of a memfd that the keeper holds, mapped twice
// back to back, so that no line is cut by the wrap. The kernel puts bytes in (splice) and moves the
// memfd's own file offset in the same step; that offset is the only memory of how far it came, and
// it outlives this process.
//
// Owns:       its descriptor of the memfd and the two read-only mappings.
// Thread:     log. One process at a time: splice takes no lock on the offset.
// Invariants: tail() <= head() <= tail() + kCapacityBytes - kPageBytes; stream position p lies at
//             offset p mod kCapacityBytes. So head is known from a tail and the offset alone,
//             exactly.
// Errors:     kUnavailable: nothing in the pipe now. kCorrupt: the memfd is no ring, or not of this
// tail. Bounds:     kCapacityBytes; when it is full, splice_from() must not be called: the pipe
// holds the rest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::capture {

class Ring {
 public:
  static constexpr std::uint64_t kCapacityBytes = 1U << 20U;
  static constexpr std::uint64_t kPageBytes = 4096;
  static constexpr std::uint64_t kUsableBytes = kCapacityBytes - kPageBytes;

  // A new ring's memfd, at offset 0: the stream begins at position 0.
  static Result<Fd> make();
  // `tail`: the smallest recorded tail of the logs that this stream feeds. `memfd` must be of the
  // open file description that make() made (inherited or by SCM_RIGHTS): another open has another
  // offset.
  static Result<Ring> open(Fd memfd, std::uint64_t tail);
  Ring(Ring&& other) noexcept;
  Ring& operator=(Ring&& other) noexcept;
  ~Ring();

  std::uint64_t head() const { return head_; }
  std::uint64_t tail() const { return tail_; }
  std::uint64_t free_bytes() const { return kUsableBytes - (head_ - tail_); }
  bool empty() const { return head_ == tail_; }

  // Views are good until consume() passes them. At least kPageBytes - 1 readable bytes follow each.
  std::string_view bytes(std::uint64_t from, std::uint64_t size_bytes) const;
  std::string_view readable(std::uint64_t from) const { return bytes(from, head_ - from); }

  // From here on the file owns what lies before. Only after the records of all logs.
  void consume(std::uint64_t new_tail);

  // One splice(2) of at most `most_bytes`; needs free_bytes() > 0. 0: the pipe is at its end.
  Result<std::size_t> splice_from(int pipe_fd, std::uint64_t most_bytes = kCapacityBytes);

  // Frees the memory of all pages that hold no unconsumed byte, but the tail's, if more than
  // kGiveBackBytes came since the last time. Call it for a stream that has been empty for a second:
  // a ring that was once full would otherwise keep its 1 MiB for ever. Tells whether it did.
  bool give_back_pages();
  static constexpr std::uint64_t kGiveBackBytes = 64U << 10U;

 private:
  Ring(Fd memfd, const char* map, std::uint64_t tail, std::uint64_t head)
      : memfd_(std::move(memfd)), map_(map), tail_(tail), head_(head) {}
  void unmap();

  Fd memfd_;
  const char* map_ = nullptr;  // 2 * kCapacityBytes.
  std::uint64_t tail_ = 0;
  std::uint64_t head_ = 0;
  std::uint64_t given_back_at_ = 0;  // Head at the last give_back_pages().
};

}  // namespace pmx::capture
