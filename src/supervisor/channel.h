// The daemon's end of one run's IPC channel, as Node has it: JSON values over a stream socket, one
// a line, in both directions.
//
// Owns:       its duplicate of the socket, messages on their way to the worker. The keeper holds
//             the socket too: a daemon that dies is no `disconnect` for the worker.
// Thread:     control.
// Invariants: a message is taken out of the socket only after it was acted on, so the next daemon
//             finds each that this one has not answered for; nothing but whole lines is sent.
// Bounds:     kMaxMessageBytes a message (a longer one is passed over), kTurnBytes a turn,
//             kMaxQueued messages to a worker that does not read (more are refused).
// Errors:     none but the worker's end being closed ends a channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::supervisor {

class Channel {
 public:
  static constexpr std::size_t kMaxMessageBytes = 1U << 20U;
  static constexpr std::size_t kWindowBytes = 64U << 10U;  // Looked at in one go.
  static constexpr std::size_t kTurnBytes = 256U << 10U;
  // A message that the kernel takes as a whole or not at all: AF_UNIX splits what is longer than
  // about 36 KiB, and half a line would be the end of the worker.
  static constexpr std::size_t kMaxSentBytes = 32U << 10U;
  static constexpr std::size_t kMaxQueued = 64;
  // So much of a line may wait in the socket for its rest for ever. More could be what keeps its
  // writer from going on: 276 writes of a byte each fill a socket.
  static constexpr std::size_t kPatientBytes = 256;

  // kHold: the message stays in the socket until release(). Reading goes on behind it, as far as
  // one window reaches.
  enum class Took : std::uint8_t { kDone, kHold };
  using Receive = std::function<Took(std::string_view line)>;
  enum class Turn : std::uint8_t {
    kIdle,    // All that is there has been acted on, but for the beginning of a line.
    kMore,    // Others shall have their turn; call again.
    kClosed,  // The worker has closed its end, and all that was there has been acted on.
  };

  Channel(Fd socket, Receive receive) : socket_(std::move(socket)), receive_(std::move(receive)) {}

  Turn turn(std::span<char> window);  // `window`: room for kWindowBytes, used during the call.
  // What was held has been answered for, and is taken out. A turn should follow.
  void release();
  // Takes the beginning of a line, where it is longer than kPatientBytes, into our memory.
  void make_room(std::span<char> window);
  std::size_t beginning_bytes() const { return beginning_bytes_; }  // Of a line without its end.

  // One JSON value without its newline. kUnavailable: the worker does not read, and as much waits
  // already as may, or its end is closed.
  // `fd`: goes along with its first byte; borrowed for the call.
  Result<void> send(std::string_view json, int fd = -1);
  // The same as a whole and at once, or not at all: nothing of it is kept here. kUnavailable: the
  // socket is full, or something waits already.
  Result<void> send_at_once(std::string_view json, int fd);

  // Something waits to be sent, and no change of the socket will tell when it can be.
  bool must_try_again() const { return stalled_ && !queue_.empty(); }

  bool closed() const { return closed_ || deaf_; }
  std::uint64_t passed_over() const { return passed_over_; }  // Messages that were too long.
  std::uint64_t refused() const { return refused_; }          // Messages that were not sent.
  bool held() const { return held_; }
  int fd() const { return socket_.get(); }

 private:
  // A line that does not fit the window is taken out piece by piece.
  enum class Long : std::uint8_t { kNone, kCollecting, kPassingOver };

  void begin();
  void act_on(std::string_view bytes);
  void take_piece(std::string_view bytes, std::span<char> window);
  void begin_long(std::string_view bytes, std::span<char> window);
  void take_out(std::size_t count, std::span<char> window);
  Result<std::size_t> send_bytes(std::string_view text, int fd);
  void send_queued();

  Fd socket_;
  Receive receive_;
  std::size_t acted_ = 0;  // Bytes at the socket's front whose messages have been acted on.
  bool begun_ = false, acting_ = false, held_ = false, closed_ = false, deaf_ = false;
  bool stalled_ = false;
  Long long_ = Long::kNone;
  std::string piece_;  // kCollecting: what has been taken out of the line.
  std::size_t beginning_bytes_ = 0;
  struct Queued {
    std::string text;
    Fd fd;  // Not sent yet.
  };
  std::deque<Queued> queue_;
  std::uint64_t passed_over_ = 0, refused_ = 0;
};

}  // namespace pmx::supervisor
