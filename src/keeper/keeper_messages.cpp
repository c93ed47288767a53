// What the keeper says and what it is told. Nothing here waits: what does not fit the socket now is
// remembered (the greeting's place, dirty slots, signals) and said when the socket is writable.
#include <cerrno>

#include "keeper/keeper.h"

namespace pmx::keeper {

using namespace std::chrono_literals;

namespace {
constexpr int kMessagesATurn = 256;  // Then others get their turn; the loop comes back.
constexpr int kExitNoHandover = 70;  // EX_SOFTWARE of sysexits.h.
}  // namespace

void Keeper::on_readable() {
  for (int i = 0; socket_ && i < kMessagesATurn; ++i) {
    auto message = sys::receive_message(socket_.get(), kMaxMessageBytes);
    if (!message && retryable(message.error())) return;
    if (!message || !*message) {
      // The daemon's end is closed: it is dying, and its death comes by SIGCHLD or pidfd. One that
      // dies while it hands over leaves us to go on with what we have.
      if (adopting_) return adopt_all({});
      return disconnect();
    }
    obey(std::move(**message));
  }
}

void Keeper::obey(sys::Message message) {
  const std::optional<Header> header = header_of(message.bytes);
  if (!header) return;
  switch (header->op) {
    case Op::kPut:
      return put(name_of(message.bytes), std::move(message.fds));
    case Op::kDrop:
      return drop(name_of(message.bytes));
    case Op::kSpawn:
      if (table_) spawn(*header, message.fds);
      return;
    case Op::kAckExit:
      if (table_) acknowledge(header->run);
      return;
    case Op::kHeartbeat:
      if (daemon_pidfd_ && !daemon_hung_) expect_heartbeat();
      return;
    case Op::kQuit:
      quit_code_ = static_cast<int>(header->value);
      return;
    case Op::kAckSignal:
      if (header->value >= 1 && header->value <= 64)
        signals_told_ &= ~(1ULL << (header->value - 1));
      return;
    case Op::kAdopt:
      if (adopting_) adopt_all(std::move(message.fds));
      return;
    case Op::kUpdate:
      return update(name_of(message.bytes));
    default:
      return;  // Ours, or of a version to come.
  }
}

void Keeper::put(std::string_view name, std::vector<Fd> fds) {
  const bool allowed = adopting_ || !is_reserved(name);
  const auto held = named_.find(name);
  if (fds.size() != 1 || !allowed || name.empty() || name.size() > kMaxNameBytes ||
      (held == named_.end() && named_.size() >= kMaxNamedFds)) {
    if (table_) ++table_->header.refused_puts;
    return;
  }
  if (held != named_.end())
    held->second = std::move(fds[0]);
  else
    named_.emplace(name, std::move(fds[0]));
}

void Keeper::drop(std::string_view name) {
  if (is_reserved(name)) return;
  const auto held = named_.find(name);
  if (held != named_.end()) named_.erase(held);
}

// `fds` holds the daemon's pidfd; none: it has died on the way.
void Keeper::adopt_all(std::vector<Fd> fds) {
  adopting_ = false;
  const auto memory = named_.find(kChildrenName);
  if (memory == named_.end() || !named_.contains(kLockName)) return end(kExitNoHandover);
  const auto mapped = map_table(memory->second.get(), true);
  if (!mapped || (*mapped)->header.version != kProtocolVersion) return end(kExitNoHandover);
  table_ = *mapped;
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot)
    if (child(slot).run != 0) adopt_child(slot);
  if (fds.empty()) return daemon_ended(-1);
  daemon_pidfd_ = std::move(fds[0]);
  daemon_started_ = clock_.steady_now();
  expect_heartbeat();
  greeting_ = Greeting::kHello;
  last_name_sent_ = "\xff";  // It holds them all: after HELLO comes END.
  watch_daemon();
}

void Keeper::flush() {
  while (socket_ && !blocked_ && !adopting_) {
    const Result<void> said = say_next();
    if (said) continue;
    const int why = said.error().sys_errno();
    if (why == EAGAIN) {
      blocked_ = static_cast<bool>(loop_->watch_writable(socket_out_.get(), [this] {
        loop_->unwatch(socket_out_.get());
        blocked_ = false;  // The round's end flushes.
      }));
    } else if (why == EPIPE || why == ECONNRESET) {
      // Still read to the end: what the dying daemon said last counts.
      greeting_ = Greeting::kDone;
      dirty_.reset();
      return;
    }
    if (!blocked_ && why != 0) loop_->call_after(50ms, [this] { flush(); });  // No memory now.
    return;
  }
}

Result<void> Keeper::say_hello() {
  std::uint64_t extra = static_cast<std::uint32_t>(::getpid()) | kPassesSockets;
  if (restarts_.safe()) extra |= kSafe;
  if (options_.foreground) extra |= kForeground;
  return send(socket_.get(), {Op::kHello, kProtocolVersion, table_->header.incarnation, extra},
              PMX_VERSION);
}

Result<void> Keeper::say_next() {
  if (greeting_ == Greeting::kHello) {
    PMX_TRY(say_hello());
    greeting_ = Greeting::kFds;
    return {};
  }
  if (greeting_ == Greeting::kFds) {
    const auto next = named_.upper_bound(last_name_sent_);
    if (next == named_.end()) {
      greeting_ = Greeting::kEnd;
      return {};
    }
    const int fd = next->second.get();
    PMX_TRY(send(socket_.get(), {Op::kFd}, next->first, {&fd, 1}));
    last_name_sent_ = next->first;
    return {};
  }
  if (greeting_ == Greeting::kEnd) {
    PMX_TRY(send(socket_.get(), {Op::kEnd}));
    greeting_ = Greeting::kDone;
    return {};
  }
  if (signals_to_tell_ != 0) {
    const auto lowest = static_cast<std::uint32_t>(__builtin_ctzll(signals_to_tell_));
    PMX_TRY(send(socket_.get(), {Op::kSignal, lowest + 1, 0, options_.foreground ? 1U : 0U}));
    signals_to_tell_ &= signals_to_tell_ - 1;
    signals_told_ |= 1ULL << lowest;
    return {};
  }
  if (dirty_.none()) return Error(Errc::kNotFound, "nothing to say");
  const auto slot = static_cast<std::uint32_t>(dirty_._Find_first());
  const std::uint64_t run = child(slot).run;
  const auto pidfd = named_.find(pidfd_name(run));
  const bool has_pidfd = pidfd != named_.end();
  const int fd = has_pidfd ? pidfd->second.get() : -1;
  PMX_TRY(send(socket_.get(), {Op::kChild, slot, run}, {}, {&fd, has_pidfd ? 1U : 0U}));
  dirty_.reset(slot);
  return {};
}

}  // namespace pmx::keeper
