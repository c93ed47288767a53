// Where `pmx logs` prints: two buffered descriptors. Filled without a system call a line, and
// flushed before every wait.
//
// Thread:  one at a time.
// Errors:  a closed pipe is no error: closed() says that nobody reads any more.
// Bounds:  64 KiB before it is written.
#pragma once

#include <string>
#include <string_view>

namespace pmx::cli {

class LogsOutput {
 public:
  LogsOutput(int out_fd, int err_fd);

  std::string& out() { return out_; }
  std::string& err() { return err_; }
  void flush();
  void flush_if_full();
  bool closed() const { return closed_; }
  bool out_is_terminal() const { return out_is_terminal_; }
  bool err_is_terminal() const { return err_is_terminal_; }
  int out_fd() const { return out_fd_; }

 private:
  void write(int fd, std::string& buffer);

  int out_fd_, err_fd_;
  bool out_is_terminal_, err_is_terminal_;
  std::string out_, err_;
  bool closed_ = false;
};

// While it lives, Ctrl-C ends the process with 0, even in the middle of a write to a stopped
// terminal, and a closed pipe is an error of write() instead of a signal.
class LogsSignals {
 public:
  explicit LogsSignals(bool colors);
  ~LogsSignals();
  LogsSignals(const LogsSignals&) = delete;
  LogsSignals& operator=(const LogsSignals&) = delete;

 private:
  struct Saved;
  Saved* saved_;
};

}  // namespace pmx::cli
