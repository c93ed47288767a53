#include "capture/ring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/crash_point.h"
#include "base/sys.h"

namespace pmx::capture {
namespace {

constexpr std::uint64_t kOffsetMask = Ring::kCapacityBytes - 1;
static_assert((Ring::kCapacityBytes & kOffsetMask) == 0, "positions wrap by masking");

Result<const char*> map_twice(int memfd) {
  constexpr std::size_t kSize = Ring::kCapacityBytes;
  // The reservation makes sure that nobody else's mapping gets in between the two.
  void* const space = ::mmap(nullptr, 2 * kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (space == MAP_FAILED) return system_error(errno, "mmap", "ring");
  auto* const first = static_cast<char*>(space);
  for (char* const half : {first, first + kSize}) {
    if (::mmap(half, kSize, PROT_READ, MAP_SHARED | MAP_FIXED, memfd, 0) != MAP_FAILED) continue;
    const int failed = errno;
    ::munmap(space, 2 * kSize);
    return system_error(failed, "mmap", "ring");
  }
  return static_cast<const char*>(first);
}

Result<void> rewind_to_start(int memfd) {
  if (::lseek(memfd, 0, SEEK_SET) < 0) return system_error(errno, "seek", "ring");
  return {};
}

}  // namespace

Result<Fd> Ring::make() { return sys::memfd("pmx-ring", kCapacityBytes); }

Result<Ring> Ring::open(Fd memfd, std::uint64_t tail) {
  struct stat st {};
  if (::fstat(memfd.get(), &st) < 0) return system_error(errno, "stat", "ring");
  const off_t offset = ::lseek(memfd.get(), 0, SEEK_CUR);
  if (offset < 0) return system_error(errno, "seek", "ring");
  if (static_cast<std::uint64_t>(st.st_size) != kCapacityBytes ||
      static_cast<std::uint64_t>(offset) > kCapacityBytes)
    return corrupt("ring of " + std::to_string(st.st_size) + " bytes at offset " +
                   std::to_string(offset));

  const std::uint64_t filled = (static_cast<std::uint64_t>(offset) - tail) & kOffsetMask;
  if (filled > kUsableBytes)
    return corrupt("ring at offset " + std::to_string(offset) + " cannot be of tail " +
                   std::to_string(tail));
  if (static_cast<std::uint64_t>(offset) == kCapacityBytes) {
    // We died between a splice and its seek. At the sealed end a splice would fail with EPERM.
    PMX_TRY(rewind_to_start(memfd.get()));
    crash_point(CrashPoint::kRecoverSeek);
  }
  const char* const map = PMX_TRY(map_twice(memfd.get()));
  return Ring(std::move(memfd), map, tail, tail + filled);
}

Ring::Ring(Ring&& other) noexcept
    : memfd_(std::move(other.memfd_)),
      map_(std::exchange(other.map_, nullptr)),
      tail_(other.tail_),
      head_(other.head_),
      given_back_at_(other.given_back_at_) {}

Ring& Ring::operator=(Ring&& other) noexcept {
  if (this != &other) {
    unmap();
    memfd_ = std::move(other.memfd_);
    map_ = std::exchange(other.map_, nullptr);
    tail_ = other.tail_;
    head_ = other.head_;
    given_back_at_ = other.given_back_at_;
  }
  return *this;
}

Ring::~Ring() { unmap(); }

void Ring::unmap() {
  if (map_ != nullptr) ::munmap(const_cast<char*>(map_), 2 * kCapacityBytes);
}

std::string_view Ring::bytes(std::uint64_t from, std::uint64_t size_bytes) const {
  PMX_CHECK(tail_ <= from && from <= head_ && size_bytes <= head_ - from);
  return {map_ + (from & kOffsetMask), size_bytes};
}

void Ring::consume(std::uint64_t new_tail) {
  PMX_CHECK(tail_ <= new_tail && new_tail <= head_);
  tail_ = new_tail;
}

Result<std::size_t> Ring::splice_from(int pipe_fd, std::uint64_t most_bytes) {
  const std::uint64_t to_the_end = kCapacityBytes - (head_ & kOffsetMask);
  const std::uint64_t size_bytes = std::min({free_bytes(), to_the_end, most_bytes});
  PMX_CHECK(size_bytes > 0);  // A splice of nothing would look like the end of the pipe.
  const ssize_t n = ::splice(pipe_fd, nullptr, memfd_.get(), nullptr, size_bytes,
                             SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  if (n < 0) return system_error(errno, "splice", "pipe to ring");
  if (n > 0) crash_point(CrashPoint::kAfterSplice);
  head_ += static_cast<std::uint64_t>(n);
  if (n > 0 && (head_ & kOffsetMask) == 0) {
    crash_point(CrashPoint::kRingEndBeforeSeek);
    PMX_TRY(rewind_to_start(memfd_.get()));
    crash_point(CrashPoint::kRingEndAfterSeek);
  }
  return static_cast<std::size_t>(n);
}

bool Ring::give_back_pages() {
  if (head_ - given_back_at_ <= kGiveBackBytes) return false;
  // From the page after head's up to tail's, one turn later: whole pages without an unconsumed
  // byte.
  const std::uint64_t begin = (head_ / kPageBytes + 1) * kPageBytes;
  const std::uint64_t end = tail_ / kPageBytes * kPageBytes + kCapacityBytes;
  if (begin >= end) return false;
  const std::uint64_t offset = begin & kOffsetMask;
  const std::uint64_t first = std::min(end - begin, kCapacityBytes - offset);
  const auto punch = [this](std::uint64_t at, std::uint64_t size_bytes) {
    return size_bytes == 0 ||
           ::fallocate(memfd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                       static_cast<off_t>(at), static_cast<off_t>(size_bytes)) == 0;
  };
  // A failure costs memory and nothing else; the next quiet second tries again.
  if (!punch(offset, first) || !punch(0, end - begin - first)) return false;
  given_back_at_ = head_;
  return true;
}

}  // namespace pmx::capture
