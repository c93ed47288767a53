// The stream has to survive kill -9 of the daemon at any instruction: no message lost that was not
// acted on, and none torn. So a message is looked at in the socket, which the keeper holds too,
// acted on, and then taken out: whoever comes next finds it at the front again, whole, or finds it
// gone.
//
// What cannot be done so is a message that is longer than the socket holds (about 200 KB by
// default): its beginning has to be taken out before its end can come. It goes into our own memory,
// and dies with us; the next daemon must then not take the rest for a message. That a beginning has
// been taken is a mark that the kernel keeps with the socket (sys::set_mark), set before the first
// byte leaves and taken back when all is out but the newline. An empty line is nothing, so it does
// not matter on which side of the mark's going we die.
//
// Not chosen: a buffer in a memfd that the keeper holds. It needs a second commit point (has the
// socket given up these bytes?) and a descriptor a worker, for messages of more than 64 KiB that a
// worker sends just when the daemon is killed.
#include "supervisor/channel.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/sys.h"

namespace pmx::supervisor {
namespace {

constexpr int kAtALine = 0, kInALine = 1;  // Marks.

}  // namespace

void Channel::begin() {
  begun_ = true;
  const auto mark = sys::mark_of(socket_.get());
  if (mark && *mark == kInALine) {
    long_ = Long::kPassingOver;  // The daemon before had its beginning.
    ++passed_over_;
  }
}

Channel::Turn Channel::turn(std::span<char> window) {
  if (closed_) return Turn::kClosed;
  if (!begun_) begin();
  send_queued();
  for (std::size_t moved = 0; moved < kTurnBytes;) {
    if (held_) return Turn::kIdle;
    const auto seen = sys::peek(socket_.get(), window.first(kWindowBytes));
    if (!seen && seen.error().code() == Errc::kUnavailable) return Turn::kIdle;
    closed_ = !seen || *seen == 0;
    if (closed_) return Turn::kClosed;
    const std::string_view bytes(window.data(), *seen);
    beginning_bytes_ = 0;
    if (long_ != Long::kNone) {
      take_piece(bytes, window);
      moved += bytes.size();
      continue;
    }
    acting_ = true;
    act_on(bytes);
    acting_ = false;
    if (held_) return Turn::kIdle;
    const std::size_t done = std::exchange(acted_, 0);
    moved += done;
    take_out(done, window);
    if (done > 0) continue;
    if (bytes.size() < kWindowBytes) {
      beginning_bytes_ = bytes.size();
      return Turn::kIdle;
    }
    begin_long(bytes, window);
  }
  return Turn::kMore;
}

void Channel::act_on(std::string_view bytes) {
  for (;;) {
    const std::size_t end = bytes.find('\n', acted_);
    if (end == std::string_view::npos) return;
    const std::string_view line = bytes.substr(acted_, end - acted_);
    acted_ = end + 1;
    if (!line.empty() && receive_(line) == Took::kHold) held_ = true;
  }
}

void Channel::begin_long(std::string_view bytes, std::span<char> window) {
  (void)sys::set_mark(socket_.get(), kInALine);  // A kernel that refuses: only our death is worse.
  long_ = Long::kCollecting;
  piece_.clear();
  take_piece(bytes, window);
}

void Channel::take_piece(std::string_view bytes, std::span<char> window) {
  const std::size_t end = bytes.find('\n');
  const std::string_view part = bytes.substr(0, end);
  if (long_ == Long::kCollecting) piece_ += part;
  if (piece_.size() > kMaxMessageBytes) {
    long_ = Long::kPassingOver;
    piece_ = {};
    ++passed_over_;
  }
  const bool whole = end != std::string_view::npos;
  // What is so long is nothing that could be held: it is out of the socket for the most part.
  if (whole && long_ == Long::kCollecting) (void)receive_(piece_);
  take_out(part.size(), window);
  if (!whole) return;
  piece_ = {};
  long_ = Long::kNone;
  (void)sys::set_mark(socket_.get(), kAtALine);
}

void Channel::make_room(std::span<char> window) {
  if (closed_ || held_ || long_ != Long::kNone || beginning_bytes_ < kPatientBytes) return;
  const auto seen = sys::peek(socket_.get(), window.first(kWindowBytes));
  if (!seen || *seen < kPatientBytes) return;
  const std::string_view bytes(window.data(), *seen);
  if (bytes.find('\n') == std::string_view::npos) begin_long(bytes, window);
}

void Channel::release() {
  // From within receive_: the turn goes on, and takes out what it has acted on.
  if (!std::exchange(held_, false) || acting_) return;
  std::array<char, 4096> scratch;
  take_out(std::exchange(acted_, 0), scratch);
}

void Channel::take_out(std::size_t count, std::span<char> window) {
  while (count > 0) {
    const auto taken = sys::receive(socket_.get(), window.first(std::min(count, window.size())));
    if (!taken || *taken == 0) return;  // It was there a moment ago, and nobody else reads.
    count -= *taken;
  }
}

Result<void> Channel::send(std::string_view json, int fd) {
  if (closed_ || deaf_) return Error(Errc::kUnavailable, "has closed its channel");
  if (json.size() >= kMaxSentBytes)
    return invalid("a message to an app is at most " + std::to_string(kMaxSentBytes) +
                   " bytes long");
  if (queue_.size() >= kMaxQueued) {
    ++refused_;
    return Error(Errc::kUnavailable, "does not read what is sent to it");
  }
  Queued queued{std::string(json) + "\n", Fd()};
  if (fd >= 0) queued.fd = PMX_TRY(sys::duplicate(fd));
  queue_.push_back(std::move(queued));
  send_queued();
  if (deaf_) return Error(Errc::kUnavailable, "has closed its channel");
  return {};
}

Result<void> Channel::send_at_once(std::string_view json, int fd) {
  if (closed_ || deaf_) return Error(Errc::kUnavailable, "has closed its channel");
  if (json.size() >= kMaxSentBytes) return invalid("too long for a message to an app");
  send_queued();
  if (!queue_.empty()) return Error(Errc::kUnavailable, "does not read what is sent to it");
  const std::string text = std::string(json) + "\n";
  const std::size_t sent = PMX_TRY(send_bytes(text, fd));
  if (sent < text.size()) queue_.push_back({text.substr(sent), Fd()});
  return {};
}

// Any other error than the end of the worker's passes: a full socket, as many descriptors on their
// way as the user may have (ETOOMANYREFS, unix(7)).
Result<std::size_t> Channel::send_bytes(std::string_view text, int fd) {
  auto sent = sys::send_bytes(socket_.get(), text, fd);
  stalled_ = !sent && sent.error().sys_errno() != EAGAIN;
  if (sent) return sent;
  const int why = sent.error().sys_errno();
  // What the worker has said before is still to be read.
  deaf_ = why == EPIPE || why == ECONNRESET || why == ENOTCONN;
  return Error(Errc::kUnavailable, sent.error().message(), why);
}

void Channel::send_queued() {
  while (!queue_.empty()) {
    Queued& next = queue_.front();
    const auto sent = send_bytes(next.text, next.fd.get());
    if (!sent) {
      if (!deaf_) return;  // The next change tells, or must_try_again().
      refused_ += queue_.size();
      queue_.clear();
      return;
    }
    next.fd.reset();
    next.text.erase(0, *sent);
    if (next.text.empty()) queue_.pop_front();
  }
}

}  // namespace pmx::supervisor
