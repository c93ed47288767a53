// The page of memory, held by the keeper, into which a log's intent is stored: it outlives the
// daemon. A fresh page is all zeros: no intent, nothing dropped.
//
// Owns:  the mapping. Thread: log.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "base/fd.h"
#include "base/result.h"
#include "rotate/segment_format.h"

namespace pmx::rotate {

// What was thrown away and is not yet in the index: behind the intent, in the same page. Written
// before bytes leave a pipe for nowhere, so that a count is never too low; docs/FORMATS.md, "Intent
// page".
struct DropArea {
  std::uint64_t lines;
  std::uint64_t bytes;
  std::uint64_t segment;  // With `slot`: where the DROPPED record of these lines is being written.
  std::uint64_t slot;
  // At `position` of the stream its lines stopped: the line that is open there is ended there.
  struct Mark {
    std::uint64_t stream;  // 0: free.
    std::uint64_t position;
  } marks[9];
};
inline constexpr std::size_t kDropAreaOffset = 3904;
static_assert(sizeof(Intent) <= kDropAreaOffset &&
              kDropAreaOffset + sizeof(DropArea) <= kIntentBytes);

class IntentPage {
 public:
  static Result<IntentPage> map(const Fd& memfd) {
    void* at = ::mmap(nullptr, kIntentBytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd.get(), 0);
    if (at == MAP_FAILED) return system_error(errno, "mmap", "intent page");
    return IntentPage(static_cast<Intent*>(at));
  }
  // Another mapping of the same page: mremap(2) of size 0. So no descriptor has to be kept for it.
  Result<IntentPage> again() const {
    void* at = ::mremap(page_, 0, kIntentBytes, MREMAP_MAYMOVE);
    if (at == MAP_FAILED) return system_error(errno, "mremap", "intent page");
    return IntentPage(static_cast<Intent*>(at));
  }
  IntentPage(IntentPage&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  IntentPage& operator=(IntentPage&& other) noexcept {
    std::swap(page_, other.page_);
    return *this;
  }
  ~IntentPage() {
    if (page_ != nullptr) ::munmap(page_, kIntentBytes);
  }
  Intent& operator*() { return *page_; }
  DropArea& drops() {
    return *reinterpret_cast<DropArea*>(reinterpret_cast<char*>(page_) + kDropAreaOffset);
  }

 private:
  explicit IntentPage(Intent* page) : page_(page) {}
  Intent* page_;
};

}  // namespace pmx::rotate
