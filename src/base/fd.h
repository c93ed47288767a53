// A file descriptor with one owner. Every descriptor in pmx is born close-on-exec; only sys.cpp
// calls open, close and dup.
#pragma once

#include <utility>

namespace pmx {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset();  // Closes, swallowing the error: for written files call sys::close() and look.

 private:
  int fd_ = -1;
};

}  // namespace pmx
