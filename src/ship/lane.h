// One app's lines on their way to one sink: batch after batch, each answered for before the next.
//
//   idle -> (lines) -> lingering -> (a slot) -> sending -> settled -> idle, or the next batch
//                                       ^          | not for now
//                                       +--waiting-+
//
// Parcels of one of the store's streams go one at a time and in order; those of different streams
// side by side. What the store may have already waits until it knows a repeat for one:
// lane_resend.cpp.
//
// Owns:       cursor, flight and the batch in work; borrows all else.
// Thread:     ship.
// Invariants: the cursor moves only when every parcel of the batch is settled; a parcel is settled
//             by the store's answer alone, or by the dead letters' having it.
// Bounds:     one batch and 16 requests; a batch that waits is in its flight on the disk alone, and
//             in memory only where it could not be written there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/timers.h"
#include "ship/batcher.h"
#include "ship/cursor.h"
#include "ship/dead_letter.h"
#include "ship/flight.h"
#include "ship/http_transport.h"

namespace pmx::ship {

class Lane;

// What a lane asks of its sink's runner.
class LaneHost {
 public:
  virtual ~LaneHost() = default;
  virtual void reading(Lane& lane) = 0;     // What comes from now on is told by lines_came().
  virtual void wants_slot(Lane& lane) = 0;  // Answered by Lane::work(), now or later.
  virtual void gives_slot_back(Lane& lane) = 0;
  virtual std::chrono::steady_clock::time_point sent() = 0;
  virtual void cancelled(std::chrono::steady_clock::time_point sent_at) = 0;
  virtual void answered(std::chrono::steady_clock::time_point sent_at, const Verdict& verdict,
                        const HttpAnswer& answer) = 0;
  virtual void batch_built() = 0;        // Nothing of it has been sent yet.
  virtual void settled(Lane& lane) = 0;  // The cursor has moved: sync() it soon.
  virtual void notice(const std::string& line) = 0;
};

struct LaneParts {
  Fs& state;  // Of cursor and flight.
  const Clock& clock;
  Timers& timers;
  Sink& sink;
  HttpTransport& transport;
  DeadLetters& dead_letters;
  LaneHost& host;
  std::string app;
  std::chrono::milliseconds max_age;
  std::chrono::milliseconds first_retry{500}, last_retry{30'000};
};

class Lane {
 public:
  // `base` is <state>/ship/<sink id>/<lane>: its files are <base>.cursor and so on.
  Lane(LaneParts parts, BatcherParts batcher, std::string base);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // `begin`: where to begin should the lane's cursor not know the log.
  void add_source(Fs& files, rotate::LogDir dir, Origin origin, const LogCursor& begin);
  bool has_source(const std::string& path) const { return batcher_.has_source(path); }
  const Origin* origin_of(LogId log) const {
    return batcher_.origin_of(log);
  }                                                     // nullptr: not ours.
  void start();                                         // Goes on where the last daemon was.
  void lines_came(const std::string& path, bool many);  // many: more than a batch.
  void hurry();      // Sends whatever there is, without waiting for more.
  void work();       // A slot is free: send.
  void retry_now();  // The sink works again, or the user said so.
  // Nothing of this log from here on; nullopt: there is no end.
  void set_end(const std::string& path, const std::optional<LogPosition>& end) {
    batcher_.set_end(path, end);
  }
  // Up to its logs' ends. What comes behind these is told of too, and must not keep it for ever.
  bool finished() const {
    if (state_ == State::kLingering && !batch_) return batcher_.past_ends();
    return idle() && batcher_.finished();
  }
  // Nobody has this log any more: when all of it is settled, ended_logs() names it.
  void set_wanted(const std::string& path, bool wanted);
  bool has_unwanted_logs() const { return !unwanted_.empty(); }
  std::vector<std::string> ended_logs();
  // Its lines stay counted, under kGoneLogs.
  void drop_source(const std::string& path);
  void expect_flush(const std::string& path, std::uint64_t below_segment) {
    batcher_.expect_flush(path, below_segment);
  }
  bool sync();  // The cursor, to the disk; false: call again.
  // Lines that had been refused and were taken now (`pmx ship retry`).
  void redelivered(const std::string& app, LogId log, std::uint64_t lines);
  void stop();  // Cancels what is on its way; the flight stays.

  const std::string& app() const { return parts_.app; }
  const LaneCursor& cursor() const { return cursor_; }
  const LaneCursor& synced_cursor() const { return synced_; }
  // Nothing to send, as far as it knows: no batch, no line that is waited with.
  bool idle() const { return state_ == State::kIdle && !batch_; }
  // How long the oldest line that is not settled has waited, as far as the lane knows.
  std::chrono::milliseconds lag() const;
  bool waiting() const { return state_ == State::kWaiting; }
  std::optional<std::chrono::steady_clock::time_point> next_try() const { return next_try_; }

 private:
  enum class State { kIdle, kLingering, kQueued, kSending, kWaiting };
  static constexpr std::uint32_t kAsking = 0;
  struct Sending {
    HttpTransport::Id id = 0;
    std::uint32_t parcel = kAsking;  // Its id, from 1 on.
    std::chrono::steady_clock::time_point since;
  };

  struct Opened {  // A parcel's body.
    std::string body;
    std::uint32_t prefix_bytes = 0, suffix_bytes = 0;
    std::string_view items() const;
  };

  void forget_unknown_logs(LaneCursor& cursor) const;
  void expect_lines(bool many);
  static std::optional<Opened> open(const Framed& framed);
  void adopt_flight();
  bool frame_for_codec();
  void queue();
  void linger(std::chrono::nanoseconds delay);
  void wake();
  bool next_batch();
  void send_open();
  void send(const Parcel& parcel);
  void answered(std::uint32_t id, const HttpAnswer& answer);
  void act_on(std::size_t parcel, const Verdict& verdict, std::string_view bytes);
  void apply_items(std::size_t parcel, const Verdict& verdict, std::string_view bytes);
  void split(std::size_t parcel, std::string_view bytes);
  DeadLetter letter_of(const Parcel& parcel, const Item& item, std::string_view bytes,
                       const ItemVerdict& verdict) const;
  Parcel parcel_of(const Parcel& from, std::vector<Item> items, std::string_view bytes);
  bool must_ask() const;
  void ask();
  void store_said(const HttpAnswer& answer);
  void was_away();
  void save_flight();
  void save_cursor();
  void wait();
  void wait_for(std::chrono::nanoseconds delay);
  void finish_batch();
  void rest();
  void note_ended_logs();
  void tidy_later();
  std::size_t index_of(std::uint32_t id) const;

  LaneParts parts_;
  Batcher batcher_;
  CursorFile cursor_file_;
  FlightFile flight_file_;
  Backoff backoff_;
  LaneCursor cursor_, synced_;
  LaneCursor begins_;  // Until start().
  std::set<std::string> unwanted_, ended_;
  bool started_ = false;
  std::optional<Batch> batch_;
  std::vector<Sending> sending_;
  State state_ = State::kIdle;
  std::optional<std::chrono::steady_clock::time_point> behind_since_;  // Lines have waited since.
  std::optional<std::chrono::steady_clock::time_point> came_since_;    // behind_since_ of the next.
  bool lines_waiting_ = false;  // Came since the batch in work was read.
  bool read_ahead_ = false;     // The sources may hold what is behind the batch.
  bool must_wait_ = false;      // Something of the batch is not for now.
  bool flight_there_ = false;
  bool cursor_saved_ = true;  // Else the flight is what a start goes by.
  std::uint32_t next_parcel_ = 1;
  unsigned attempt_ = 0;
  std::optional<std::chrono::milliseconds> retry_after_;
  // Of the store, for what may be there: lane_resend.cpp.
  bool ask_first_ = false, away_seen_ = false, starting_seen_ = false;
  std::optional<std::chrono::steady_clock::time_point> answers_since_, asking_since_;
  Timers::Id timer_ = 0, tidy_timer_ = 0;
  std::optional<std::chrono::steady_clock::time_point> next_try_;
};

}  // namespace pmx::ship
