#include "supervisor/bind_traps.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/crash_point.h"
#include "base/sys.h"
#include "base/units.h"

namespace pmx::supervisor {
namespace {

constexpr std::string_view kTrapPrefix = "trap.", kAnsweringPrefix = "answering.";
constexpr int kMultipathTcp = 262;  // IPPROTO_MPTCP: Go's listeners have it.

std::string answering_name(RunId run) {
  return std::string(kAnsweringPrefix) + std::to_string(run.value);
}

int option_of(int socket, int level, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(socket, level, option, &value, &length) == 0 ? value : -1;
}

// Of its network namespace; 0 where the kernel is older than 5.14.
std::uint64_t network_of(int socket) {
  std::uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  (void)::getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length);
  return cookie;
}

bool is_of_our_network(int socket) {
  const Fd ours(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return network_of(socket) == network_of(ours.get());
}

// What connections inherit from their listener, where it was set before the bind.
void copy_options(int from, int to) {
  constexpr std::array<std::pair<int, int>, 8> kOptions{{{SOL_SOCKET, SO_KEEPALIVE},
                                                         {IPPROTO_TCP, TCP_NODELAY},
                                                         {IPPROTO_TCP, TCP_KEEPIDLE},
                                                         {IPPROTO_TCP, TCP_KEEPINTVL},
                                                         {IPPROTO_TCP, TCP_KEEPCNT},
                                                         {IPPROTO_TCP, TCP_USER_TIMEOUT},
                                                         {IPPROTO_TCP, TCP_DEFER_ACCEPT},
                                                         {IPPROTO_TCP, TCP_FASTOPEN}}};
  for (const auto& [level, option] : kOptions) {
    const int value = option_of(from, level, option);
    if (value >= 0 && value != option_of(to, level, option))
      (void)::setsockopt(to, level, option, &value, sizeof value);  // As well as it can be had.
  }
}

std::string text_of(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  (void)::inet_ntop(family, address, text.data(), text.size());
  return text.data();
}

}  // namespace

std::string trap_name(RunId run) { return std::string(kTrapPrefix) + std::to_string(run.value); }

std::optional<ListenAddress> address_to_share(const BindCall& call) {
  const int family = call.address.ss_family, socket = call.socket.get();
  const int protocol = option_of(socket, SOL_SOCKET, SO_PROTOCOL);
  if (option_of(socket, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
      (protocol != IPPROTO_TCP && protocol != kMultipathTcp) ||
      option_of(socket, SOL_SOCKET, SO_DOMAIN) != family || !is_of_our_network(socket))
    return std::nullopt;
  ListenAddress address;
  if (family == AF_INET && call.length >= sizeof(sockaddr_in)) {
    const auto& name = reinterpret_cast<const sockaddr_in&>(call.address);
    address.address = text_of(AF_INET, &name.sin_addr);
    address.port = ntohs(name.sin_port);
  } else if (family == AF_INET6 && call.length >= sizeof(sockaddr_in6)) {
    const auto& name = reinterpret_cast<const sockaddr_in6&>(call.address);
    address.ipv6 = true;
    address.ipv6_only = option_of(socket, IPPROTO_IPV6, IPV6_V6ONLY) == 1;
    address.address = text_of(AF_INET6, &name.sin6_addr);
    if (name.sin6_scope_id != 0) address.address += "%" + std::to_string(name.sin6_scope_id);
    address.port = ntohs(name.sin6_port);
  }
  if (address.port == 0) return std::nullopt;
  return address;
}

BindTraps::~BindTraps() {
  while (!entries_.empty()) forget(entries_.begin());
}

void BindTraps::open(RunId run) {
  if (entries_.contains(run)) return;
  const auto socket = link_.get(trap_name(run));
  if (!socket && socket.error().code() == Errc::kNotFound) return;  // It binds as it likes.
  auto sent = socket ? trap_sent_to(socket->get()) : Result<Fd>(socket.error());
  if (!sent) {
    events_.notice("run " + std::to_string(run.value) +
                   " shares no port: " + sent.error().message());
    return;
  }
  const auto entry = std::make_shared<Entry>(std::move(*sent));
  entries_[run] = entry;
  const auto watched = watches_.watch_changes(entry->trap.fd(), [this, run] { turn(run); });
  if (!watched)
    events_.notice("binds of run " + std::to_string(run.value) + ": " + watched.error().message());
  const auto names = link_.names();
  if (std::find(names.begin(), names.end(), answering_name(run)) != names.end())
    begin_anew(run, *entry);
}

void BindTraps::turn(RunId run) {
  for (int i = 0; i < kCallsATurn; ++i) {
    const auto found = entries_.find(run);
    if (found == entries_.end()) return;
    const std::shared_ptr<Entry> entry = found->second;  // What follows may lead to its end.
    if (entry->trap.waits()) {
      answer(run, *entry);
      continue;
    }
    if (entry->trap.ended()) forget(found);
    return;
  }
  const auto found = entries_.find(run);
  if (found == entries_.end() || found->second->turn_timer != 0) return;
  Entry& entry = *found->second;
  entry.turn_timer = timers_.call_after(std::chrono::nanoseconds(0), [this, run, &entry] {
    entry.turn_timer = 0;  // Cancelled before the entry goes.
    turn(run);
  });
}

void BindTraps::answer(RunId run, Entry& entry) {
  const auto noted = link_.put(answering_name(run), entry.trap.fd());
  if (!noted)
    events_.notice("binds of run " + std::to_string(run.value) + ": " + noted.error().message());
  const auto call = entry.trap.next();
  crash_point(CrashPoint::kBindTaken);
  bool given = false;
  if (call) {
    const auto address = call->unseen ? std::nullopt : address_to_share(*call);
    if (address) {
      given = give(run, entry, *call, *address).has_value();
    } else {
      entry.trap.pass(*call);
    }
    if (call->unseen && !std::exchange(entry.told, true))
      events_.notice("run " + std::to_string(run.value) +
                     " binds a port that it may not share: " + call->unseen->message());
  }
  if (entry.go_on_timer == 0) link_.drop(answering_name(run));
  if (given) events_.bound(run);
}

Result<void> BindTraps::give(RunId run, Entry& entry, const BindCall& call,
                             const ListenAddress& address) {
  const auto socket = events_.bind(run, address);
  if (!socket) {
    const int why = socket.error().sys_errno();
    if (why != 0) {
      entry.trap.refuse(call, why);
    } else {
      entry.trap.pass(call);  // Past a bound of ours: what it has then, it does not share.
    }
    return socket.error();
  }
  copy_options(call.socket.get(), socket->get());
  // Of the open file, which is the worker's from now on: pmx accepts nothing there while it lives.
  (void)sys::set_nonblocking(socket->get(), call.nonblocking);
  return entry.trap.give(call, socket->get());
}

// After SIGCONT no handler has run, so the kernel restarts the call (signal(7)). The note stays
// until then: a daemon that dies in between leaves no worker stopped.
void BindTraps::begin_anew(RunId run, Entry& entry) {
  (void)link_.signal(run, SIGSTOP, true);
  entry.go_on_timer = timers_.call_after(kStopFor, [this, run, &entry] { go_on(run, entry); });
}

void BindTraps::go_on(RunId run, Entry& entry) {
  timers_.cancel(std::exchange(entry.go_on_timer, 0));
  (void)link_.signal(run, SIGCONT, true);
  link_.drop(answering_name(run));
}

void BindTraps::close(RunId run) {
  const auto found = entries_.find(run);
  if (found != entries_.end()) forget(found);
  link_.drop(trap_name(run));
  link_.drop(answering_name(run));
}

bool BindTraps::has(RunId run) const {
  const auto names = link_.names();
  return std::find(names.begin(), names.end(), trap_name(run)) != names.end();
}

void BindTraps::forget(Entries::iterator at) {
  Entry& entry = *at->second;
  if (entry.go_on_timer != 0) go_on(at->first, entry);
  timers_.cancel(entry.turn_timer);
  watches_.unwatch(entry.trap.fd());
  entries_.erase(at);
}

void BindTraps::drop_all_but(const std::set<RunId>& runs) {
  for (const std::string& name : link_.names()) {
    for (const std::string_view prefix : {kTrapPrefix, kAnsweringPrefix}) {
      if (!name.starts_with(prefix)) continue;
      const auto number = parse_integer(name.substr(prefix.size()));
      if (number && runs.contains(RunId{static_cast<std::uint64_t>(*number)})) continue;
      link_.drop(name);
    }
  }
}

}  // namespace pmx::supervisor
