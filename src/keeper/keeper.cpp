#include "keeper/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "keeper/spawn.h"

namespace pmx::keeper {

namespace {

// Signal number as a bit of signals_to_tell_: they are 1 to 64.
constexpr std::uint64_t bit_of(int signal) { return 1ULL << static_cast<unsigned>(signal - 1); }

// What a daemonized keeper passes on to the daemon. The rest it ignores: SIGHUP is a terminal's
// end.
constexpr std::array kTold{SIGTERM, SIGINT, SIGQUIT, SIGUSR2};
// What a foreground keeper forwards, and all real-time signals (a container's stop signal may be
// one).
constexpr std::array kForwarded{SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};

sigset_t watched_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  for (const int signal : kForwarded) ::sigaddset(&set, signal);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) ::sigaddset(&set, signal);
  return set;
}

}  // namespace

Result<std::unique_ptr<Keeper>> Keeper::create(KeeperOptions options, const Clock& clock) {
  auto keeper = std::make_unique<Keeper>(Key(), std::move(options), clock);
  PMX_TRY(keeper->prepare());
  return keeper;
}

Result<void> Keeper::prepare() {
  loop_ = PMX_TRY(EventLoop::create());
  dev_null_ = PMX_TRY(sys::open("/dev/null", O_RDWR));
  // Whoever started us may have left signals blocked or ignored; an ignored SIGCHLD loses exit
  // statuses.
  for (int signal = 1; signal < NSIG; ++signal) (void)::signal(signal, SIG_DFL);
  (void)::signal(SIGPIPE, SIG_IGN);
  const sigset_t watched = watched_signals();
  if (::sigprocmask(SIG_SETMASK, &watched, nullptr) < 0) return system_error(errno, "sigprocmask");
  signals_ = Fd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return system_error(errno, "signalfd");
  PMX_TRY(loop_->watch(signals_.get(), [this] { on_signals(); }));
  // Everything that one round of events has changed is said at its end.
  loop_->after_each_round([this] { flush(); });

  adopting_ = static_cast<bool>(options_.adopt);
  if (adopting_) return connect(std::move(options_.adopt));
  if (options_.held) {
    PMX_TRY_WITHIN("take over from the keeper before", resume(std::move(options_.held)));
  } else {
    PMX_TRY(make_table());
    named_.emplace(kLockName, std::move(options_.lock));
  }
  start_daemon();
  return {};
}

Result<void> Keeper::make_table() {
  Fd memory = PMX_TRY(sys::memfd("pmx-children", sizeof(ChildTable)));
  table_ = PMX_TRY(map_table(memory.get(), true));
  TableHeader& header = table_->header;
  header.version = kProtocolVersion;
  header.worker_fd_limit = options_.worker_fd_limit;
  header.worker_core_limit = options_.worker_core_limit;
  header.worker_oom_score = options_.worker_oom_score;
  named_.emplace(kChildrenName, std::move(memory));
  return {};
}

int Keeper::run() {
  loop_->run();
  return exit_code_;
}

void Keeper::end(int exit_code) {
  exit_code_ = exit_code;
  loop_->stop();
}

void Keeper::on_signals() {
  signalfd_siginfo info;
  for (;;) {
    const auto n = sys::read(signals_.get(), {reinterpret_cast<char*>(&info), sizeof info});
    if (!n || *n != sizeof info) return;
    if (info.ssi_signo == SIGCHLD)
      reap();
    else
      told(static_cast<int>(info.ssi_signo));
  }
}

void Keeper::told(int signal) {
  bool passed_on = false;
  for (const int known : kTold) passed_on |= known == signal;
  if (options_.foreground)
    (void)forward(signal);  // Works while no daemon lives; the daemon hears of it afterwards.
  else if (!passed_on)
    return;
  signals_to_tell_ |= bit_of(signal);
  // With no daemon (its program may be broken) and nothing to look after, nobody else would end us.
  const bool ends = signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
  if (ends && !daemon_pidfd_ && table_ && !any_alive()) end(128 + signal);
}

int Keeper::forward(int signal) {
  int groups = 0;
  for (std::uint32_t slot = 0; table_ && slot < table_->header.slots_used; ++slot) {
    // Not reaped yet (by us, or else the pidfd would say so), so its number is nobody else's.
    if (!alive(slot)) continue;
    const pid_t pid = child(slot).pid;
    const auto pidfd = named_.find(pidfd_name(child(slot).run));
    if (pidfd == named_.end() || !sys::pidfd_signal(pidfd->second.get(), 0)) continue;
    // Before setsid it is in our own group, and is told alone.
    if (!sys::kill_group(pid, signal)) (void)sys::pidfd_signal(pidfd->second.get(), signal);
    ++groups;
  }
  return groups;
}

// Also orphans of workers come to us, as their subreaper or as process 1.
void Keeper::reap() {
  int status;
  rusage usage;
  std::optional<int> daemon_status;
  for (pid_t pid; (pid = ::wait4(-1, &status, WNOHANG, &usage)) > 0;) {
    if (pid == daemon_pid_)
      daemon_status = status;
    else if (!table_)
      continue;
    else if (const auto slot = slot_of_pid(pid))
      record_exit(*slot, status, usage);
    else
      ++table_->header.orphans_reaped;
  }
  if (daemon_status) daemon_ended(*daemon_status);
}

void Keeper::start_daemon() {
  TableHeader& header = table_->header;
  daemon_started_ = clock_.steady_now();
  const auto start = [&]() -> Result<void> {
    sys::SocketPair pair = PMX_TRY(sys::seqpacket_pair());
    std::vector<std::string> command = options_.daemon_command;
    command.insert(command.end(), {"--keeper-fd", std::to_string(pair.second.get())});
    command.insert(command.end(), options_.extra.begin(), options_.extra.end());
    PMX_TRY(connect(std::move(pair.first)));
    daemon_pid_ = PMX_TRY(spawn_daemon(command, pair.second.get()));
    daemon_pidfd_ = PMX_TRY(sys::pidfd_open(daemon_pid_));
    return {};
  };
  if (start()) {
    expect_heartbeat();
    greeting_ = Greeting::kHello;
    last_name_sent_.clear();
    dirty_.reset();  // A daemon that connects reads the whole table.
    signals_to_tell_ |= std::exchange(signals_told_, 0);
    flush();
    return;
  }
  // No descriptor, process or memory left: as after a crash. A daemon without a pidfd ends by
  // itself, because its socket is closed, and must be reaped first.
  disconnect();
  if (daemon_pid_ != 0) return;
  ++header.incarnation;
  const auto delay =
      restarts_.after(DaemonRestarts::Death::kCrashed, daemon_started_, clock_.steady_now());
  loop_->call_after(delay, [this] { start_daemon(); });
}

// Only for one that is not our child; ours comes by SIGCHLD.
void Keeper::watch_daemon() {
  const auto watched = loop_->watch(daemon_pidfd_.get(), [this] {
    loop_->unwatch(daemon_pidfd_.get());
    daemon_ended(sys::exit_status_of_stranger(daemon_pidfd_.get()).value_or(-1));
  });
  if (!watched) daemon_ended(-1);
}

void Keeper::daemon_ended(int wait_status) {
  // Everything it has said is done first: its PUTs and SPAWNs are all the next one will find.
  while (socket_) {
    auto message = sys::receive_message(socket_.get(), kMaxMessageBytes);
    if (!message || !*message) break;
    obey(std::move(**message));
  }
  disconnect();
  loop_->cancel(heartbeat_timer_);
  daemon_pid_ = 0;
  daemon_pidfd_.reset();
  if (quit_code_) return end(*quit_code_);

  ++table_->header.incarnation;
  table_->header.last_daemon_status = wait_status;
  if (const auto successor = std::exchange(successor_, std::nullopt)) {
    const Error error = become(*successor);
    std::fprintf(stderr, "pmx-keeper: not updated: %s\n", error.message().c_str());
    return start_daemon();
  }
  const bool killed =
      wait_status == -1 || (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL);
  const auto death =
      killed && !daemon_hung_ ? DaemonRestarts::Death::kKilled : DaemonRestarts::Death::kCrashed;
  daemon_hung_ = false;
  const auto delay = restarts_.after(death, daemon_started_, clock_.steady_now());
  if (delay.count() == 0) return start_daemon();
  loop_->call_after(delay, [this] { start_daemon(); });
}

// A deadline that moves with each heartbeat: no wakeup of our own while they come.
void Keeper::expect_heartbeat() {
  loop_->cancel(heartbeat_timer_);
  heartbeat_due_ = clock_.steady_now() + options_.heartbeat_deadline;
  heartbeat_timer_ = loop_->call_at(heartbeat_due_, [this] { heartbeat_missed(); });
}

void Keeper::heartbeat_missed() {
  // We are late as well: the machine or both of us stood still, and the daemon gets its time again.
  if (clock_.steady_now() - heartbeat_due_ > std::chrono::seconds(2)) return expect_heartbeat();
  daemon_hung_ = true;
  (void)sys::pidfd_signal(daemon_pidfd_.get(), SIGABRT);
  heartbeat_timer_ = loop_->call_after(
      options_.abort_grace, [this] { (void)sys::pidfd_signal(daemon_pidfd_.get(), SIGKILL); });
}

Result<void> Keeper::connect(Fd socket) {
  disconnect();
  socket_out_ = PMX_TRY(sys::duplicate(socket.get()));
  socket_ = std::move(socket);
  return loop_->watch(socket_.get(), [this] { on_readable(); });
}

void Keeper::disconnect() {
  if (socket_) loop_->unwatch(socket_.get());
  if (socket_out_) loop_->unwatch(socket_out_.get());
  socket_.reset();
  socket_out_.reset();
  blocked_ = false;
  greeting_ = Greeting::kDone;
}

}  // namespace pmx::keeper
