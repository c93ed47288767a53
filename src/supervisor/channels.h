// The ways into running workers: their IPC channels and their standard inputs, which the keeper
// holds as "chan.<run>" and "stdin.<run>" while the run lasts.
//
// Owns:       a Channel for each run that has one and is under way.
// Thread:     control; SIGPIPE must be ignored.
// Invariants: a channel is listened to only once its run has begun: what it says finds a worker
//             that runs; what a run said last is acted on before it counts as ended.
// Bounds:     those of Channel; kMaxLineBytes a line for a standard input, and as much as its pipe
//             takes: nobody waits for a worker that does not read.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/timers.h"
#include "base/watches.h"
#include "model/ids.h"
#include "supervisor/app_message.h"
#include "supervisor/channel.h"
#include "supervisor/keeper_link.h"

namespace pmx::supervisor {

std::string channel_name(RunId run);
std::string stdin_name(RunId run);

class Channels {
 public:
  static constexpr std::size_t kMaxLineBytes = 1U << 20U;
  // Of an idle pipe. A user has 64 MiB of pipes in all, and the outputs need them more; one that
  // fills is made larger.
  static constexpr std::size_t kIdleStdinBytes = 8U << 10U, kFullStdinBytes = 64U << 10U;

  struct Events {
    // What kReady, kAction, kMonitor and kReply are, and kInternal, the cluster protocol's place;
    // `line` is the message as it came.
    std::function<Channel::Took(RunId, const AppMessage&, std::string_view line)> said;
    std::function<void(const std::string&)> notice;
    // By the worker's end, while its run is under way: nothing can be said to it any more.
    std::function<void(RunId)> closed = [](RunId) {};
  };

  Channels(KeeperLink& link, Watches& watches, Timers& timers, Events events);
  ~Channels();
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;

  void open(RunId run);   // It is under way. Where it has no channel: nothing.
  void close(RunId run);  // It has ended.
  void drop_all_but(const std::set<RunId>& runs);  // After a daemon's start.
  void release_held();                             // What was held has been saved.

  bool has(RunId run) const;  // The keeper holds one: it has not been closed.
  Result<void> send(RunId run, std::string_view json, int fd = -1);
  Result<void> send_at_once(RunId run, std::string_view json, int fd);  // As Channel has it.
  // All of `bytes` or none. kNoSpace: what was sent before has not been read; kRejected: it
  // takes none at all.
  Result<void> write_stdin(RunId run, std::string_view bytes) const;

 private:
  struct Entry;
  using Entries = std::map<RunId, std::shared_ptr<Entry>>;

  Channel::Took received(RunId run, std::string_view line);
  void turn(RunId run);
  void turn_after(RunId run, Entry& entry, std::chrono::nanoseconds delay);
  void be_patient(RunId run, Entry& entry);
  void tell_of_bounds(RunId run, Entry& entry);
  void forget(Entries::iterator at);

  KeeperLink& link_;
  Watches& watches_;
  Timers& timers_;
  const Events events_;
  Entries entries_;
  std::vector<char> window_;
};

}  // namespace pmx::supervisor
