// One life of the daemon's log side, step by step in the caller's thread: the real stages, put
// together as supervisor/pipeline.cpp does on its event loop, and the pack thread's steps.
//
// A death is a Death thrown out of a step, or the destruction between two steps: either way all
// objects are dropped and nothing is finished. What the keeper holds lives on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "rotate/segment_writer.h"
#include "sim/support/held.h"
#include "supervisor/log.h"
#include "supervisor/stream.h"

namespace pmx::sim {

struct Death {};  // The process is gone in the middle of a step.

class Daemon final : public rotate::RawBytes {
 public:
  Daemon(std::string home, Fs& fs, const Clock& clock)
      : home_(std::move(home)), fs_(fs), clock_(clock) {}

  // Recovery is the start path: every held stream, then the first round.
  void begin(HeldStream& held, std::map<LogId, Fd>& intents, bool fresh);
  enum class Drain { kTurn, kOneSplice };
  void drain(HeldStream& held, Drain how);
  void commit(supervisor::Log& log);
  void rotate(supervisor::Log& log);
  void look(supervisor::Log& log);
  void sync(supervisor::Log& log);
  void quiet(HeldStream& held);  // Long enough for half a line to be shown, and pages given back.
  bool ended(const HeldStream& held);
  void release(const HeldStream& held);
  // One step of the pack thread for this log; false: nothing to pack, its bounds were applied.
  bool pack(supervisor::Log& log);

  supervisor::Stream* stream(StreamId id);
  supervisor::Log* log(const std::string& path);
  std::vector<supervisor::Log*> logs();
  std::string_view raw_bytes(StreamId stream, std::uint64_t from,
                             std::uint64_t size_bytes) override;
  // Nothing is on its way: the file holds what is recorded and nothing else.
  bool is_settled(supervisor::Log& log) const { return log.writer().settled() && !log.trouble(); }

  std::function<void(const std::string&)> say;  // For who replays a seed.
  std::vector<std::string> problems;            // What must never happen; the simulation ends.
  std::set<std::string> made_room;              // Logs whose own archives went for a full disk.
  std::uint64_t faults_met = 0;

 private:
  void fail(supervisor::Log& log, Error error);

  const std::string home_;
  Fs& fs_;
  const Clock& clock_;
  std::map<StreamId, std::unique_ptr<supervisor::Stream>> streams_;
  std::map<StreamId, HeldStream*> held_;
  redact::RedactorPool redactors_;
  std::map<std::string, std::unique_ptr<supervisor::Log>> logs_;
  std::map<std::string, std::uint64_t> packable_;  // The newest segment that may be packed.
};

}  // namespace pmx::sim
