// What is said and heard, and how a daemon gets a new keeper.
//
// The daemon holds a duplicate of everything that the keeper holds, so a keeper that dies takes
// only its socket with it. The end of that socket is the news. A new keeper is started with the
// lock of the home (its open file is ours too, so the lock never falls free), is handed the table,
// every descriptor, ADOPT, and then whatever the old one may not have done: spawns without an
// outcome and acknowledged exits. Both may be said twice without harm.
#include "supervisor/internal/keeper_connection.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "supervisor/keeper_start.h"

namespace pmx::supervisor {

using keeper::ChildRecord;
using keeper::Header;
using keeper::Op;
using namespace std::chrono_literals;

namespace {

constexpr auto kGreetingDeadline = 10s;
constexpr int kMessagesATurn = 256;  // Then the loop's other descriptors get theirs.

std::string describe_end(int wait_status) {
  if (wait_status == -1) return "ended, nobody could tell how";
  if (WIFSIGNALED(wait_status)) return "ended by signal " + std::to_string(WTERMSIG(wait_status));
  return "ended with exit code " + std::to_string(WEXITSTATUS(wait_status));
}

std::chrono::milliseconds wait_before(int attempt) {
  return std::min<std::chrono::milliseconds>(100ms * (1 << std::min(attempt - 1, 6)), 5000ms);
}

}  // namespace

KeeperConnection::KeeperConnection(EventLoop& loop, Options options, Events events)
    : loop_(loop), options_(std::move(options)), events_(std::move(events)) {}

KeeperConnection::~KeeperConnection() {
  hang_up();
  for (const auto timer : {heartbeat_timer_, retry_timer_, flush_timer_}) loop_.cancel(timer);
}

void KeeperConnection::tell(const std::string& line) const {
  if (events_.notice) events_.notice(line);
}

Result<void> KeeperConnection::greet() {
  socket_ = Fd(options_.socket_fd);
  PMX_TRY(sys::set_close_on_exec(socket_.get(), true));
  const RealClock clock;
  const auto deadline = clock.steady_now() + kGreetingDeadline;
  while (!greeted_) {
    auto message = sys::receive_message(socket_.get(), keeper::kMaxMessageBytes);
    if (message && !*message) return Error(Errc::kIo, "it has died");
    if (message) {
      PMX_TRY(understand(std::move(**message)));
      continue;
    }
    if (!retryable(message.error())) return std::move(message).error();
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.steady_now()).count();
    pollfd wait{socket_.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) == 0)
      return Error(Errc::kUnavailable, "it has not answered in 10 s");
  }
  const auto children = held_.find(keeper::kChildrenName);
  if (children == held_.end() || held_.find(keeper::kLockName) == held_.end())
    return corrupt("it has sent no table of children or no lock");
  table_ = PMX_TRY(keeper::map_table(children->second.get(), false));
  const auto state = held_.find(keeper::kStateName);
  if (state != held_.end()) first_state_ = PMX_TRY(sys::duplicate(state->second.get()));
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot) {
    const ChildRecord& record = table_->children[slot];
    if (record.run != 0) reported_[record.run] = child_of(record).state;
  }
  if (incarnation_ > 0)
    tell("the daemon before this one " + describe_end(table_->header.last_daemon_status));
  heartbeat_timer_ = loop_.call_after(keeper::kHeartbeatEvery, [this] { heartbeat(); });
  return use(std::move(socket_));
}

Result<void> KeeperConnection::use(Fd socket) {
  socket_out_ = PMX_TRY(sys::duplicate(socket.get()));
  socket_ = std::move(socket);
  return loop_.watch(socket_.get(), [this] { on_readable(); });
}

void KeeperConnection::hang_up() {
  if (socket_) loop_.unwatch(socket_.get());
  if (socket_out_) loop_.unwatch(socket_out_.get());
  socket_.reset();
  socket_out_.reset();
  blocked_ = false;
}

void KeeperConnection::on_readable() {
  for (int i = 0; socket_ && i < kMessagesATurn; ++i) {
    auto message = sys::receive_message(socket_.get(), keeper::kMaxMessageBytes);
    if (!message && retryable(message.error())) return;
    if (!message || !*message) return keeper_gone();
    const auto understood = understand(std::move(**message));
    if (!understood) tell(understood.error().message());
  }
}

Result<void> KeeperConnection::understand(sys::Message message) {
  const auto header = keeper::header_of(message.bytes);
  if (!header) return corrupt("a message from the keeper is too short");
  switch (header->op) {
    case Op::kHello:
      return on_hello(*header, keeper::name_of(message.bytes));
    case Op::kFd:
      if (message.fds.size() == 1)
        held_.insert_or_assign(std::string(keeper::name_of(message.bytes)),
                               std::move(message.fds[0]));
      else
        tell("out of descriptors: the keeper's " + std::string(keeper::name_of(message.bytes)) +
             " was not received");
      return {};
    case Op::kEnd:
      greeted_ = true;
      return {};
    case Op::kChild:
      on_child(*header, std::move(message.fds));
      return {};
    case Op::kSignal:
      if (events_.signal_received) events_.signal_received(static_cast<int>(header->value));
      say({Op::kAckSignal, {}, 0, header->value});
      return {};
    default:
      return {};  // Of a version to come.
  }
}

Result<void> KeeperConnection::on_hello(const Header& header, std::string_view version) {
  if (header.value != keeper::kProtocolVersion)
    return Error(Errc::kRejected, "it speaks version " + std::to_string(header.value) +
                                      " of the protocol, we " +
                                      std::to_string(keeper::kProtocolVersion));
  const pid_t before = keeper_pid_;
  keeper_pid_ = static_cast<pid_t>(header.extra & 0xFFFFFFFFU);
  keeper_version_ = version;
  foreground_ = (header.extra & keeper::kForeground) != 0;
  passes_sockets_ = (header.extra & keeper::kPassesSockets) != 0;
  attempts_ = 0;
  if (before != 0) {
    tell("the keeper died (pid " + std::to_string(before) + "): started another (pid " +
         std::to_string(keeper_pid_) + "), which has adopted the workers");
    return {};
  }
  incarnation_ = header.run;
  safe_ = (header.extra & keeper::kSafe) != 0;
  return {};
}

void KeeperConnection::on_child(const Header& header, std::vector<Fd> fds) {
  if (header.value >= keeper::kMaxChildren || acknowledged_.contains(header.run)) return;
  const ChildRecord& record = table_->children[header.value];
  if (record.run != header.run) return;
  if (fds.size() == 1) held_.try_emplace(keeper::pidfd_name(header.run), std::move(fds[0]));
  report(record);
}

void KeeperConnection::report(const ChildRecord& record) {
  const Child child = child_of(record);
  const std::uint64_t run = child.run.value;
  if (child.state == Child::State::kStarting) return;
  // The old keeper died before the child could start, and the new one has been told to try again.
  if (child.state == Child::State::kSpawnFailed && spawning_.contains(run) &&
      record.failed_step == keeper::Step::kKeeper)
    return;
  const auto before = reported_.find(run);
  if (before != reported_.end() && before->second == child.state) return;
  reported_[run] = child.state;
  spawning_.erase(run);
  const auto held = held_signals_.extract(run);
  if (child.state == Child::State::kRunning && held)
    for (const HeldSignal& late : held.mapped())
      (void)signal(RunId{run}, late.number, late.group);  // An end in between is an end.
  if (events_.child_changed) events_.child_changed(child);
}

void KeeperConnection::say(Saying saying) {
  outbox_.push_back(std::move(saying));
  flush();
}

void KeeperConnection::flush() {
  while (socket_ && !blocked_ && !outbox_.empty()) {
    const auto sent = send_now(outbox_.front());
    if (sent) {
      outbox_.pop_front();
      continue;
    }
    const int why = sent.error().sys_errno();
    if (why == EPIPE || why == ECONNRESET) return;  // Its end comes as a readable socket.
    if (why == EAGAIN)
      blocked_ = static_cast<bool>(loop_.watch_writable(socket_out_.get(), [this] {
        loop_.unwatch(socket_out_.get());
        blocked_ = false;
        flush();
      }));
    if (!blocked_) {
      loop_.cancel(flush_timer_);  // No memory now.
      flush_timer_ = loop_.call_after(50ms, [this] { flush(); });
    }
    return;
  }
}

Result<void> KeeperConnection::send_now(const Saying& saying) const {
  std::vector<int> fds;
  Fd self;
  if (saying.op == Op::kPut) {
    const auto held = held_.find(saying.name);
    if (held == held_.end()) return {};  // Dropped since; the DROP follows.
    fds.push_back(held->second.get());
  }
  if (saying.op == Op::kSpawn) {
    const auto spawning = spawning_.find(saying.run);
    if (spawning == spawning_.end()) return {};  // It has its outcome.
    for (const Fd& fd : spawning->second.fds) fds.push_back(fd.get());
  }
  if (saying.op == Op::kAdopt) {
    self = PMX_TRY(sys::pidfd_open(::getpid()));
    fds.push_back(self.get());
  }
  return keeper::send(socket_.get(), {saying.op, saying.value, saying.run}, saying.name, fds);
}

void KeeperConnection::heartbeat() {
  heartbeat_timer_ = loop_.call_after(keeper::kHeartbeatEvery, [this] { heartbeat(); });
  if (outbox_.empty())
    say({Op::kHeartbeat, {}});  // What waits shows that we live, once it is read.
}

void KeeperConnection::keeper_gone() {
  hang_up();
  outbox_.clear();  // The handover says everything again.
  if (quitting_) return;
  if (attempts_ == 0) return start_another();
  start_another_later("the new keeper ended before it had taken over");
}

void KeeperConnection::start_another_later(const std::string& why) {
  const auto wait = wait_before(attempts_);
  tell(why + "; starting another in " + std::to_string(wait.count()) + " ms");
  retry_timer_ = loop_.call_after(wait, [this] { start_another(); });
}

void KeeperConnection::start_another() {
  ++attempts_;
  std::vector<std::string> arguments = options_.keeper_arguments;
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  if (foreground_ && std::find(arguments.begin(), end, "--foreground") == end)
    arguments.insert(arguments.begin(), "--foreground");
  auto socket = start_adopting_keeper(options_.keeper_executable, arguments,
                                      held_.find(keeper::kLockName)->second.get());
  if (!socket) return start_another_later(socket.error().message());
  if (const auto used = use(std::move(*socket)); !used) {
    hang_up();
    return start_another_later(used.error().message());
  }
  hand_over();
}

void KeeperConnection::hand_over() {
  // The table and the lock first: if we die in between, the keeper can go on with these two.
  outbox_.push_back({Op::kPut, std::string(keeper::kChildrenName)});
  outbox_.push_back({Op::kPut, std::string(keeper::kLockName)});
  for (const auto& [name, fd] : held_)
    if (name != keeper::kChildrenName && name != keeper::kLockName)
      outbox_.push_back({Op::kPut, name});
  outbox_.push_back({Op::kAdopt, {}, incarnation_});
  for (const auto& [run, spawning] : spawning_)
    if (!spawning.fds.empty()) outbox_.push_back({Op::kSpawn, {}, run, spawning.which});
  for (const std::uint64_t run : acknowledged_) outbox_.push_back({Op::kAckExit, {}, run});
  flush();
}

}  // namespace pmx::supervisor
