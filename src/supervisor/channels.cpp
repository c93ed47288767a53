#include "supervisor/channels.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/sys.h"
#include "base/units.h"

namespace pmx::supervisor {
namespace {

constexpr std::string_view kChannelPrefix = "chan.", kStdinPrefix = "stdin.";
constexpr std::string_view kHandleTaken = "{\"cmd\":\"NODE_HANDLE_ACK\"}";
constexpr std::chrono::seconds kPatience{1};        // With a long line whose rest does not come.
constexpr std::size_t kAtomicBytes = 4096;          // PIPE_BUF: a write of so much is never cut.
constexpr std::chrono::milliseconds kTryAgain{50};  // To send what only time lets through.
constexpr int kLastTurns = 16;                      // Of a run that has ended: 4 MiB.

Error takes_nothing(std::string why) { return {Errc::kRejected, std::move(why)}; }
Error is_full() { return {Errc::kNoSpace, "has not read what was sent to it before"}; }

}  // namespace

std::string channel_name(RunId run) {
  return std::string(kChannelPrefix) + std::to_string(run.value);
}
std::string stdin_name(RunId run) { return std::string(kStdinPrefix) + std::to_string(run.value); }

struct Channels::Entry {
  Entry(Fd socket, Channel::Receive receive) : channel(std::move(socket), std::move(receive)) {}
  Channel channel;
  Timers::Id turn_timer = 0, patience_timer = 0;
  bool told_of_length = false, told_of_refusal = false;
};

Channels::Channels(KeeperLink& link, Watches& watches, Timers& timers, Events events)
    : link_(link),
      watches_(watches),
      timers_(timers),
      events_(std::move(events)),
      window_(Channel::kWindowBytes) {}

Channels::~Channels() {
  while (!entries_.empty()) forget(entries_.begin());
}

void Channels::open(RunId run) {
  if (entries_.contains(run)) return;
  auto socket = link_.get(channel_name(run));
  if (!socket) {
    // Without one: an app that has none, or one that has closed it.
    if (socket.error().code() != Errc::kNotFound)
      events_.notice("channel of run " + std::to_string(run.value) + ": " +
                     socket.error().message());
    return;
  }
  const auto entry = std::make_shared<Entry>(
      std::move(*socket), [this, run](std::string_view line) { return received(run, line); });
  entries_[run] = entry;
  const auto watched = watches_.watch_changes(entry->channel.fd(), [this, run] { turn(run); });
  if (!watched)
    events_.notice("channel of run " + std::to_string(run.value) + ": " +
                   watched.error().message());
}

Channel::Took Channels::received(RunId run, std::string_view line) {
  const AppMessage message = app_message(line);
  switch (message.kind) {
    case AppMessage::Kind::kOther:
      return Channel::Took::kDone;
    case AppMessage::Kind::kHandle:
      // The kernel has closed the descriptor, because we had no room for one.
      (void)send(run, kHandleTaken);
      return Channel::Took::kDone;
    default:
      return events_.said(run, message, line);
  }
}

void Channels::turn(RunId run) {
  const auto found = entries_.find(run);
  if (found == entries_.end()) return;
  const std::shared_ptr<Entry> entry = found->second;  // What it says may lead to its end.
  const Channel::Turn turn = entry->channel.turn(window_);
  if (entries_.find(run) == entries_.end()) return;
  tell_of_bounds(run, *entry);
  switch (turn) {
    case Channel::Turn::kIdle:
      if (entry->channel.must_try_again()) turn_after(run, *entry, kTryAgain);
      return be_patient(run, *entry);
    case Channel::Turn::kMore:
      return turn_after(run, *entry, {});
    case Channel::Turn::kClosed:
      // process.disconnect(), or the worker has ended: its own end tells the keeper.
      forget(entries_.find(run));
      events_.closed(run);
      return link_.drop(channel_name(run));  // Else a daemon after us would not see its end.
  }
}

void Channels::turn_after(RunId run, Entry& entry, std::chrono::nanoseconds delay) {
  if (entry.turn_timer != 0) return;
  entry.turn_timer = timers_.call_after(delay, [this, run, &entry] {
    entry.turn_timer = 0;  // Cancelled before the entry goes.
    turn(run);
  });
}

// A line that does not end: as long as it is short it may wait in the socket, where it survives us.
void Channels::be_patient(RunId run, Entry& entry) {
  const bool wait = entry.channel.beginning_bytes() >= Channel::kPatientBytes;
  if (!wait) return timers_.cancel(std::exchange(entry.patience_timer, 0));
  if (entry.patience_timer != 0) return;
  entry.patience_timer = timers_.call_after(kPatience, [this, run, &entry] {
    entry.patience_timer = 0;
    entry.channel.make_room(window_);
    turn(run);
  });
}

void Channels::tell_of_bounds(RunId run, Entry& entry) {
  const std::string whose = "run " + std::to_string(run.value);
  if (entry.channel.passed_over() > 0 && !std::exchange(entry.told_of_length, true))
    events_.notice("channel of " + whose + ": a message of more than " +
                   std::to_string(Channel::kMaxMessageBytes) +
                   " bytes was passed over, as others will be");
  if (entry.channel.refused() > 0 && !std::exchange(entry.told_of_refusal, true))
    events_.notice("channel of " + whose + ": it does not read what is sent to it; " +
                   std::to_string(entry.channel.refused()) + " message(s) were not sent");
}

void Channels::release_held() {
  for (const auto& [run, entry] : entries_) {
    if (!entry->channel.held()) continue;
    entry->channel.release();
    turn_after(run, *entry, {});
  }
}

void Channels::close(RunId run) {
  for (int i = 0; i < kLastTurns; ++i) {
    const auto found = entries_.find(run);
    if (found == entries_.end()) break;
    const std::shared_ptr<Entry> entry = found->second;
    entry->channel.release();  // Its worker has ended: nothing of it needs to be kept.
    if (entry->channel.turn(window_) != Channel::Turn::kMore && !entry->channel.held()) break;
  }
  const auto found = entries_.find(run);
  if (found != entries_.end()) forget(found);
  link_.drop(channel_name(run));
  link_.drop(stdin_name(run));
}

bool Channels::has(RunId run) const {
  const auto names = link_.names();
  return std::find(names.begin(), names.end(), channel_name(run)) != names.end();
}

void Channels::forget(Entries::iterator at) {
  Entry& entry = *at->second;
  timers_.cancel(entry.turn_timer);
  timers_.cancel(entry.patience_timer);
  watches_.unwatch(entry.channel.fd());
  entries_.erase(at);
}

void Channels::drop_all_but(const std::set<RunId>& runs) {
  for (const std::string& name : link_.names()) {
    for (const std::string_view prefix : {kChannelPrefix, kStdinPrefix}) {
      if (!name.starts_with(prefix)) continue;
      const auto number = parse_integer(name.substr(prefix.size()));
      if (number && runs.contains(RunId{static_cast<std::uint64_t>(*number)})) continue;
      link_.drop(name);
    }
  }
}

Result<void> Channels::send(RunId run, std::string_view json, int fd) {
  const auto found = entries_.find(run);
  if (found == entries_.end()) return takes_nothing("has no channel");
  auto sent = found->second->channel.send(json, fd);
  if (found->second->channel.must_try_again()) turn_after(run, *found->second, kTryAgain);
  tell_of_bounds(run, *found->second);
  return sent;
}

Result<void> Channels::send_at_once(RunId run, std::string_view json, int fd) {
  const auto found = entries_.find(run);
  if (found == entries_.end()) return takes_nothing("has no channel");
  return found->second->channel.send_at_once(json, fd);
}

// We are the only writer, so a pipe takes what it has room for in one go: what is longer than a
// page is written only where the pipe is empty and large enough.
Result<void> Channels::write_stdin(RunId run, std::string_view bytes) const {
  if (bytes.size() > kMaxLineBytes)
    return invalid("a line for a standard input is at most " + std::to_string(kMaxLineBytes) +
                   " bytes long");
  const auto pipe = link_.get(stdin_name(run));
  if (!pipe) return takes_nothing("has no standard input that takes lines");
  const bool atomic = bytes.size() <= kAtomicBytes;
  if (!atomic) {
    const bool empty = sys::pipe_bytes_waiting(pipe->get()).value_or(1) == 0;
    if (!empty) return is_full();
    if (sys::set_pipe_size(pipe->get(), bytes.size()) < bytes.size())
      return takes_nothing("has a standard input that takes no " + std::to_string(bytes.size()) +
                           " bytes at once");
  }
  auto written = sys::write(pipe->get(), bytes);
  if (!written && written.error().code() == Errc::kUnavailable) {
    (void)sys::set_pipe_size(pipe->get(), kFullStdinBytes);
    written = sys::write(pipe->get(), bytes);
  }
  if (written) return {};
  if (written.error().sys_errno() == EPIPE) return takes_nothing("has closed its standard input");
  if (written.error().code() == Errc::kUnavailable) return is_full();
  return std::move(written).error();
}

}  // namespace pmx::supervisor
