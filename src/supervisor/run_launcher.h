// Makes one life of a worker: its pipes, rings, intents, channel and description, handed to the
// keeper and the pipeline before the program is started. What the pipeline has is taken back when
// it is done with it; channel and standard input are channels.h's from then on.
//
// Owns:       which streams are alive, the number of the last run, the names of the intents.
// Thread:     control.
// Invariants: everything is PUT before the SPAWN; run ids only grow, also over daemons.
// Errors:     nothing is left behind by a launch that failed; the error names the step.
// Bounds:     kMaxStreams streams; their pipes' sizes are the pipeline's to set.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "supervisor/keeper_link.h"
#include "supervisor/pipeline.h"
#include "supervisor/worker_record.h"

namespace pmx::supervisor {

std::string pipe_name(StreamId stream);
std::string ring_name(StreamId stream);
std::string run_name(RunId run);
std::string intent_name(LogId log);

// What a keeper held when we connected, sorted by what it is.
struct HeldDescriptors {
  std::vector<RunFds> runs;
  std::vector<IntentFd> intents;
  std::vector<std::string> strays;    // Names that belong to no run: to be dropped.
  std::vector<std::string> troubles;  // Descriptions that could not be read, one line each.
};
HeldDescriptors held_by(const KeeperLink& link);

class RunLauncher {
 public:
  struct Options {
    std::string home;
    std::string logs_directory;
    bool traps = false;  // Binds can be trapped here.
  };
  RunLauncher(Options options, KeeperLink& link, Pipeline& pipeline, const Clock& clock);

  // What the run is started with beside its pipes, with the keeper already.
  using Sockets = std::function<Result<std::vector<Fd>>(RunId)>;
  // `shared`: files that other workers feed too. Sets record.run and record.logs.
  Result<void> launch(WorkerRecord& record, const std::vector<std::string>& shared,
                      const Sockets& sockets = {});
  // Runs of the daemon before: their specs were given to the pipeline already.
  void know(const RunSpec& spec);
  void stream_ended(StreamId stream);
  void run_ended(RunId run);

  const std::map<RunId, RunSpec>& live_runs() const { return runs_; }
  std::size_t live_streams() const { return streams_.size(); }
  RunId last_run() const { return last_run_; }
  void set_last_run(RunId run) { last_run_ = std::max(last_run_, run); }

 private:
  struct Prepared;
  Result<Prepared> prepare(const WorkerRecord& record, const std::vector<std::string>& shared);
  Result<void> hand_over(Prepared& prepared, std::vector<std::string>& put);
  Result<std::vector<IntentFd>> intents_for(const RunSpec& spec);
  RunId next_run();

  const Options options_;
  KeeperLink& link_;
  Pipeline& pipeline_;
  const Clock& clock_;
  RunId last_run_;
  std::set<StreamId> streams_;  // Not yet ended.
  std::map<RunId, RunSpec> runs_;
};

}  // namespace pmx::supervisor
