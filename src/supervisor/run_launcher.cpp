#include "supervisor/run_launcher.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/crash_point.h"
#include "base/sys.h"
#include "supervisor/bind_traps.h"
#include "supervisor/channels.h"
#include "supervisor/log_paths.h"
#include "supervisor/spawn_request.h"

namespace pmx::supervisor {
namespace {

constexpr std::size_t kMaxRunSpecBytes = 1U << 20U;
// Of what a worker has sent and we have not read, as the kernel counts it; the usual limit is more.
constexpr std::size_t kChannelBufferBytes = 128U << 10U;

Result<RunSpec> read_run_spec(int fd) {
  const std::string text = PMX_TRY(sys::read_shared(fd, kMaxRunSpecBytes));
  const Json json = PMX_TRY(Json::parse(text));
  return run_spec_from_json(json);
}

// What is fed by no run that is held: a daemon died between the PUTs of a run, or a log's last run
// has ended. Without its rings an intent says nothing.
void sort_the_rest(const std::vector<std::string>& names,
                   const std::function<Fd(const std::string&)>& take, HeldDescriptors& held) {
  std::set<std::string> used;
  std::set<LogId> fed;
  for (const RunFds& run : held.runs) {
    for (const StreamSpec& stream : run.spec.streams) {
      used.insert({pipe_name(stream.id), ring_name(stream.id)});
      for (const LogSpec& log : stream.logs) fed.insert(log_id_of(log.path));
    }
  }
  for (const LogId log : fed) {
    Fd fd = take(intent_name(log));
    if (fd) held.intents.push_back({log, std::move(fd)});
    used.insert(intent_name(log));
  }
  if (!held.troubles.empty()) return;  // Something could not be read: nothing is thrown away.
  for (const std::string& name : names) {
    const bool ours =
        name.starts_with("pipe.") || name.starts_with("ring.") || name.starts_with("intent.");
    if (ours && !used.contains(name)) held.strays.push_back(name);
  }
}

}  // namespace

std::string pipe_name(StreamId stream) { return "pipe." + std::to_string(stream.value); }
std::string ring_name(StreamId stream) { return "ring." + std::to_string(stream.value); }
std::string run_name(RunId run) { return "run." + std::to_string(run.value); }
std::string intent_name(LogId log) { return "intent." + log.hex(); }

HeldDescriptors held_by(const KeeperLink& link) {
  HeldDescriptors held;
  const std::vector<std::string> names = link.names();
  const std::set<std::string> known(names.begin(), names.end());
  const auto take = [&](const std::string& name) {
    if (!known.contains(name)) return Fd();
    auto fd = link.get(name);
    if (!fd) held.troubles.push_back(name + ": " + fd.error().message());
    return fd ? std::move(*fd) : Fd();
  };
  for (const std::string& name : names) {
    if (!name.starts_with("run.")) continue;
    const Fd description = take(name);
    if (!description) continue;
    auto spec = read_run_spec(description.get());
    if (!spec) {
      held.troubles.push_back(name + ": " + spec.error().message());
      continue;
    }
    RunFds run;
    for (const StreamSpec& stream : spec->streams) {
      StreamFds fds{stream.id, take(pipe_name(stream.id)), take(ring_name(stream.id))};
      // Without a ring the stream had ended and was dropped; its run has not been, yet.
      if (fds.ring) run.streams.push_back(std::move(fds));
    }
    run.spec = std::move(*spec);
    held.runs.push_back(std::move(run));
  }
  sort_the_rest(names, take, held);
  return held;
}

RunLauncher::RunLauncher(Options options, KeeperLink& link, Pipeline& pipeline, const Clock& clock)
    : options_(std::move(options)), link_(link), pipeline_(pipeline), clock_(clock) {}

struct RunLauncher::Prepared {
  RunSpec spec;
  SpawnRequest request;
  LogFiles files;
  Fd description;
  std::vector<StreamFds> streams;  // Our ends, for the pipeline.
  std::vector<Fd> write_ends;      // The worker's, in the order of spec.streams.
  sys::SocketPair channel;         // Ours and the worker's; invalid: none.
  sys::SocketPair trap;            // The same, for its trap.
  sys::Pipe input;
  std::vector<IntentFd> intents;
};

RunId RunLauncher::next_run() {
  const auto now = static_cast<std::uint64_t>(clock_.system_ns()) & ~std::uint64_t{1};
  last_run_.value = std::max(now, last_run_.value + 2);
  return last_run_;
}

Result<std::vector<IntentFd>> RunLauncher::intents_for(const RunSpec& spec) {
  const std::vector<std::string> names = link_.names();
  std::set<LogId> wanted;
  for (const StreamSpec& stream : spec.streams)
    for (const LogSpec& log : stream.logs) wanted.insert(log_id_of(log.path));
  std::vector<IntentFd> made;
  for (const LogId log : wanted) {
    if (std::find(names.begin(), names.end(), intent_name(log)) != names.end()) continue;
    made.push_back({log, PMX_TRY(Pipeline::make_intent())});
  }
  return made;
}

Result<RunLauncher::Prepared> RunLauncher::prepare(const WorkerRecord& record,
                                                   const std::vector<std::string>& shared) {
  if (streams_.size() + 2 > kMaxStreams)
    return Error(Errc::kNoSpace, "there are " + std::to_string(streams_.size()) +
                                     " streams already, which is as many as one daemon takes");
  Prepared prepared;
  const auto identity = PMX_TRY(identity_of(record.spec));
  std::optional<FileOwner> owner;
  if (identity) owner = FileOwner{identity->uid, identity->gid};
  LogPlan plan = plan_logs(record.spec, record.id, options_.logs_directory, owner, shared);
  prepared.files = plan.files;
  prepared.spec.run = next_run();
  prepared.spec.worker = record.id;
  prepared.spec.app_name = record.spec.name;
  prepared.request = PMX_TRY(spawn_request_of(record, prepared.spec.run, options_.home, identity));
  for (const StreamKind kind : {StreamKind::kOut, StreamKind::kErr}) {
    StreamSpec stream;
    stream.id = stream_of(prepared.spec.run, kind);
    stream.kind = kind;
    stream.logs = std::move(kind == StreamKind::kOut ? plan.out : plan.err);
    sys::Pipe pipe = PMX_TRY(sys::pipe());
    Fd ring = PMX_TRY(Pipeline::make_ring());
    prepared.streams.push_back({stream.id, std::move(pipe.read_end), std::move(ring)});
    prepared.write_ends.push_back(std::move(pipe.write_end));
    prepared.spec.streams.push_back(std::move(stream));
  }
  if (has_channel(record.spec)) {
    prepared.channel = PMX_TRY(sys::stream_pair());
    sys::set_buffer_size(prepared.channel.second.get(), kChannelBufferBytes);
  }
  if (options_.traps && is_trapped(record.spec)) prepared.trap = PMX_TRY(sys::seqpacket_pair());
  if (has_stdin(record.spec)) {
    prepared.input = PMX_TRY(sys::pipe());
    PMX_TRY(sys::set_nonblocking(prepared.input.write_end.get(), true));
    (void)sys::set_pipe_size(prepared.input.write_end.get(), Channels::kIdleStdinBytes);
  }
  prepared.intents = PMX_TRY(intents_for(prepared.spec));
  prepared.description = PMX_TRY(sys::memfd_of("pmx-run", to_json(prepared.spec).dump()));
  return prepared;
}

Result<void> RunLauncher::hand_over(Prepared& prepared, std::vector<std::string>& put) {
  const auto give = [&](const std::string& name, int fd) -> Result<void> {
    PMX_TRY(link_.put(name, fd));
    put.push_back(name);
    return {};
  };
  // The description goes last of the run's own: whoever finds it finds all that it describes.
  for (const IntentFd& intent : prepared.intents)
    PMX_TRY(give(intent_name(intent.log), intent.fd.get()));
  for (const StreamFds& stream : prepared.streams) {
    PMX_TRY(give(ring_name(stream.id), stream.ring.get()));
    PMX_TRY(give(pipe_name(stream.id), stream.pipe_read_end.get()));
  }
  const RunId run = prepared.spec.run;
  if (prepared.channel.first) PMX_TRY(give(channel_name(run), prepared.channel.first.get()));
  if (prepared.trap.first) PMX_TRY(give(trap_name(run), prepared.trap.first.get()));
  if (prepared.input.write_end) PMX_TRY(give(stdin_name(run), prepared.input.write_end.get()));
  return give(run_name(run), prepared.description.get());
}

Result<void> RunLauncher::launch(WorkerRecord& record, const std::vector<std::string>& shared,
                                 const Sockets& sockets) {
  Prepared prepared = PMX_TRY(prepare(record, shared));
  std::vector<Fd> passed;
  if (sockets) passed = PMX_TRY(sockets(prepared.spec.run));
  for (const Fd& socket : passed) prepared.request.socket_fds.push_back(socket.get());
  crash_point(CrashPoint::kBeforePut);
  std::vector<std::string> put;
  auto given = hand_over(prepared, put);
  if (!given) {
    for (const std::string& name : put) link_.drop(name);
    return std::move(given).error();
  }
  crash_point(CrashPoint::kAfterPut);
  know(prepared.spec);
  record.run = prepared.spec.run;
  record.logs = prepared.files;
  RunFds fds;
  fds.spec = prepared.spec;
  fds.streams = std::move(prepared.streams);
  pipeline_.add_run(std::move(fds), std::move(prepared.intents));
  prepared.request.stdout_fd = prepared.write_ends[0].get();
  prepared.request.stderr_fd = prepared.write_ends[1].get();
  prepared.request.stdin_fd = prepared.input.read_end.get();
  prepared.request.channel_fd = prepared.channel.second.get();
  prepared.request.trap_fd = prepared.trap.second.get();
  crash_point(CrashPoint::kBeforeSpawn);
  // On failure the write ends close with `prepared`: the pipeline sees the end and gives all back.
  auto spawned = link_.spawn(prepared.request);
  if (!spawned) {
    for (const std::string& name :
         {channel_name(record.run), stdin_name(record.run), trap_name(record.run)})
      link_.drop(name);
    record.run = {};
  }
  crash_point(CrashPoint::kAfterSpawn);
  return spawned;
}

void RunLauncher::know(const RunSpec& spec) {
  set_last_run(spec.run);
  runs_[spec.run] = spec;
  for (const StreamSpec& stream : spec.streams) streams_.insert(stream.id);
}

void RunLauncher::stream_ended(StreamId stream) {
  if (streams_.erase(stream) == 0) return;
  link_.drop(pipe_name(stream));
  link_.drop(ring_name(stream));
  pipeline_.stream_dropped(stream);
}

void RunLauncher::run_ended(RunId run) {
  const auto found = runs_.find(run);
  if (found == runs_.end()) return;
  for (const StreamSpec& stream : found->second.streams) stream_ended(stream.id);
  runs_.erase(found);
  link_.drop(run_name(run));
}

}  // namespace pmx::supervisor
