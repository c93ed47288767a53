// Foreground mode's second reader of the apps' lines: what has reached the log is printed to our
// own stdout and stderr, as a container's user expects it. It reads the files, as `pmx logs` does,
// so that a slow or stopped terminal costs neither the worker nor our memory anything.
//
// How far it has come is kept in a page of memory that the keeper holds: the next daemon goes on
// there. A kill between a write to stdout and the note of it prints that one line again.
//
// Owns:    its thread, the readers and the page's mapping.
// Thread:  start, finish and the destructor on control; the rest on its own.
// Errors:  a closed stdout ends the printing, nothing else.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/fs.h"
#include "base/result.h"
#include "rotate/log_follower.h"
#include "rotate/log_reader.h"
#include "supervisor/echo_style.h"

namespace pmx::supervisor {

class Echo {
 public:
  struct Source {
    std::string log_path;
    int fd = 1;  // Where out lines go; err lines of a log that has both go to 2.
    bool both_kinds = false;
    std::string app_name;
  };
  static constexpr std::size_t kMaxSources = 256;  // Of others nothing is printed.

  static Result<Fd> make_page();
  static Result<std::unique_ptr<Echo>> start(const std::string& state_directory,
                                             std::vector<Source> sources, EchoStyle style,
                                             const Fd& page, const Clock& clock);
  ~Echo();
  void finish();  // Prints all that is recorded by now, then ends the thread.

 private:
  struct Progress {
    std::uint64_t next_seq;
    std::int64_t time_ns;
  };
  struct Reader {
    Source source;
    std::unique_ptr<rotate::LogReader> reader;
    Progress* progress = nullptr;
    std::int64_t since_ns = 0;  // Earlier lines are of an earlier container.
  };
  Echo(EchoStyle style, const Clock& clock) : style_(style), follower_(clock) {}
  void run();
  bool print_new();  // False: nobody listens any more.

  const EchoStyle style_;
  RealFs files_;
  rotate::LogFollower follower_;
  std::vector<Reader> readers_;
  Progress* page_ = nullptr;
  Fd wake_;
  std::atomic<bool> finishing_ = false;
  std::thread thread_;
};

}  // namespace pmx::supervisor
