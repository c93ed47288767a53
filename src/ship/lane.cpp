#include "ship/lane.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace pmx::ship {
namespace {

constexpr std::size_t kMostRequests = 16;  // At a time; a batch may have thousands of groups.
constexpr auto kTroublePause = std::chrono::seconds(1);
constexpr auto kFilesStayOpen = std::chrono::seconds(10);  // Of a log of which nothing is read.

std::uint64_t seed_of(const std::string& base) { return log_id_of(base).value; }

}  // namespace

Lane::Lane(LaneParts parts, BatcherParts batcher, std::string base)
    : parts_(std::move(parts)),
      batcher_(std::move(batcher)),
      cursor_file_(parts_.state, base),
      flight_file_(parts_.state, base),
      backoff_(parts_.first_retry, parts_.last_retry, seed_of(base)) {}

Lane::~Lane() { stop(); }

void Lane::add_source(Fs& files, rotate::LogDir dir, Origin origin, const LogCursor& begin) {
  const std::string path = dir.active_path();
  batcher_.add_source(files, std::move(dir), std::move(origin));
  if (!started_) {
    begins_[path] = begin;
    return;
  }
  cursor_.try_emplace(path, begin);
  synced_.try_emplace(path, begin);
  if (batch_) batch_->after.try_emplace(path, begin);
  batcher_.seek_source(path, batch_ ? batch_->after[path] : cursor_[path]);
  lines_came(path, false);
}

// A daemon that died while it dropped a log had taken it out of the lane's file already.
void Lane::forget_unknown_logs(LaneCursor& cursor) const {
  for (auto at = cursor.begin(); at != cursor.end();) {
    const std::string path = (at++)->first;
    if (!begins_.contains(path)) forget_log(cursor, path);
  }
}

// What an earlier daemon had sent is sent again as it was; else reading begins at the cursor.
void Lane::start() {
  started_ = true;
  auto loaded = cursor_file_.load();
  if (!loaded) parts_.host.notice(loaded.error().message() + ": begins with the oldest line");
  if (loaded && *loaded) cursor_ = std::move(**loaded);
  for (const auto& [path, begin] : begins_) cursor_.try_emplace(path, begin);
  forget_unknown_logs(cursor_);
  synced_ = cursor_;
  batch_ = flight_file_.load();
  flight_there_ = batch_.has_value();
  if (batch_ && batch_->serial <= cursor_file_.serial()) batch_.reset();
  if (batch_) adopt_flight();
  batcher_.seek(batch_ ? batch_->after : cursor_);
  lines_waiting_ = true;
  behind_since_ = came_since_ = parts_.clock.steady_now();  // Until it was seen that none are.
  queue();
}

void Lane::stop() {
  for (const Sending& each : sending_) {
    parts_.transport.cancel(each.id);
    parts_.host.cancelled(each.since);
  }
  sending_.clear();
  parts_.timers.cancel(std::exchange(timer_, 0));
  parts_.timers.cancel(std::exchange(tidy_timer_, 0));
}

std::chrono::milliseconds Lane::lag() const {
  if (!behind_since_) return std::chrono::milliseconds(0);
  return std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.steady_now() -
                                                               *behind_since_);
}

void Lane::lines_came(const std::string& path, bool many) {
  batcher_.lines_came(path);
  expect_lines(many);
}

void Lane::hurry() {
  batcher_.look_at_all();
  expect_lines(true);
}

void Lane::expect_lines(bool many) {
  lines_waiting_ = true;
  if (!came_since_) came_since_ = parts_.clock.steady_now();
  if (!behind_since_) behind_since_ = came_since_;
  if (state_ == State::kIdle) linger(many ? std::chrono::nanoseconds(0) : parts_.max_age);
  if (state_ == State::kLingering && many) queue();
}

void Lane::linger(std::chrono::nanoseconds delay) {
  state_ = State::kLingering;
  parts_.timers.cancel(timer_);
  timer_ = parts_.timers.call_after(delay, [this] { wake(); });
}

void Lane::wake() {
  timer_ = 0;
  queue();
}

void Lane::queue() {
  parts_.timers.cancel(std::exchange(timer_, 0));
  next_try_.reset();
  state_ = State::kQueued;
  parts_.host.wants_slot(*this);
}

void Lane::retry_now() {
  if (state_ != State::kWaiting) return;
  retry_after_.reset();
  queue();
}

void Lane::work() {
  if (batch_ && !batch_->settled() && !flight_file_.fetch(*batch_)) {
    parts_.host.notice("lines on their way cannot be read again: they are encoded anew");
    batch_.reset();
    batcher_.seek(cursor_);
  }
  if (!batch_ && !next_batch()) {
    parts_.host.gives_slot_back(*this);
    return rest();
  }
  state_ = State::kSending;
  must_wait_ = false;
  if (batch_->settled()) return finish_batch();
  if (must_ask()) return ask();
  send_open();
}

bool Lane::next_batch() {
  lines_waiting_ = false;
  came_since_.reset();
  parts_.host.reading(*this);
  read_ahead_ = true;
  tidy_later();
  batch_ = batcher_.build(cursor_, cursor_file_.serial() + 1);
  for (const std::string& warning : batcher_.take_warnings()) parts_.host.notice(warning);
  if (!batch_) return false;
  for (Parcel& parcel : batch_->parcels) parcel.id = next_parcel_++;
  lines_waiting_ = batcher_.more();
  parts_.host.batch_built();
  if (!batch_->parcels.empty()) save_flight();
  return true;
}

// Nothing to send. A stack trace that may go on is looked at when it has been quiet long enough.
void Lane::rest() {
  note_ended_logs();
  if (cursor_saved_ && std::exchange(flight_there_, false)) flight_file_.remove();
  if (batcher_.trouble()) return linger(kTroublePause);  // Lines may be there all the same.
  const auto open_for = batcher_.open_for();
  if (!open_for) {
    state_ = State::kIdle;
    behind_since_.reset();
    return batcher_.release_memory();
  }
  if (!behind_since_) behind_since_ = parts_.clock.steady_now();
  state_ = State::kLingering;
  timer_ = parts_.timers.call_after(*open_for, [this, left = parts_.max_age - *open_for] {
    timer_ = 0;
    // What came meanwhile is sent as always, and the open one with it.
    if (lines_waiting_ && left > left.zero()) return linger(left);
    queue();
  });
}

// The first open parcel of each of the store's streams.
void Lane::send_open() {
  std::vector<const std::string*> begun;
  std::vector<std::uint32_t> ready;
  for (const Parcel& parcel : batch_->parcels) {
    if (parcel.settled) continue;
    const bool behind = std::any_of(begun.begin(), begun.end(), [&](const std::string* group) {
      return *group == parcel.group;
    });
    begun.push_back(&parcel.group);
    const bool sending = std::any_of(sending_.begin(), sending_.end(),
                                     [&](const Sending& each) { return each.parcel == parcel.id; });
    if (!behind && !sending) ready.push_back(parcel.id);
    if (sending_.size() + ready.size() >= kMostRequests) break;
  }
  for (const std::uint32_t id : ready) send(batch_->parcels[index_of(id)]);
}

void Lane::send(const Parcel& parcel) {
  const Sink::Group group = parts_.sink.group_named(parcel.group);
  if (parcel.may_be_there)
    parts_.sink.sent_again(
        group,
        std::accumulate(parcel.items.begin(), parcel.items.end(), std::size_t{0},
                        [](std::size_t sum, const Item& item) { return sum + item.size_bytes; }));
  HttpRequest request = parts_.sink.request(group, parcel.framed.body, attempt_);
  Sending sending{0, parcel.id, parts_.host.sent()};
  sending.id = parts_.transport.send(
      std::move(request),
      [this, id = parcel.id](const HttpAnswer& answer) { answered(id, answer); });
  sending_.push_back(sending);
}

std::size_t Lane::index_of(std::uint32_t id) const {
  const auto found = std::find_if(batch_->parcels.begin(), batch_->parcels.end(),
                                  [id](const Parcel& parcel) { return parcel.id == id; });
  PMX_CHECK(found != batch_->parcels.end());
  return static_cast<std::size_t>(found - batch_->parcels.begin());
}

void Lane::answered(std::uint32_t id, const HttpAnswer& answer) {
  const auto sent = std::find_if(sending_.begin(), sending_.end(),
                                 [id](const Sending& each) { return each.parcel == id; });
  PMX_CHECK(sent != sending_.end());
  const auto sent_at = sent->since;
  sending_.erase(sent);
  const std::size_t number = index_of(id);
  Parcel& parcel = batch_->parcels[number];
  parcel.may_be_there = parcel.may_be_there || answer.status >= 500 || answer.sent;
  ask_first_ = ask_first_ || answer.status >= 500;
  if (answer.status == 0) was_away();
  // Most answers say yes to all of it. For the others the items' bytes are needed.
  std::optional<Opened> opened;
  const auto bytes = [&]() -> std::string_view {
    if (!opened) opened = open(parcel.framed);
    PMX_CHECK(opened);  // We made it, or the flight's sum is right.
    return opened->items();
  };
  const Verdict verdict =
      parts_.sink.judge(answer, parcel.items, answer.status >= 400 ? bytes() : std::string_view());
  parts_.host.answered(sent_at, verdict, answer);
  const bool by_item =
      verdict.kind == Verdict::Kind::kItems || verdict.kind == Verdict::Kind::kSplit;
  act_on(number, verdict, by_item ? bytes() : std::string_view());
  if (batch_->settled()) return finish_batch();
  if (!must_wait_) return send_open();
  if (sending_.empty()) wait();
}

void Lane::wait() {
  const auto asked = std::exchange(retry_after_, std::nullopt);
  wait_for(std::max(backoff_.next(), asked.value_or(std::chrono::milliseconds(0))));
}

void Lane::wait_for(std::chrono::nanoseconds delay) {
  ++attempt_;
  state_ = State::kWaiting;
  next_try_ = parts_.clock.steady_now() + delay;
  timer_ = parts_.timers.call_after(delay, [this] { wake(); });
  // Of many lanes whose store is down none keeps more than what a start would need, either.
  if (std::exchange(read_ahead_, false) && batcher_.step_back(batch_->after))
    lines_waiting_ = true;  // Nobody tells of these again.
  batcher_.release_memory();
  flight_file_.put_away(*batch_);
  parts_.host.gives_slot_back(*this);
}

void Lane::finish_batch() {
  cursor_ = std::move(batch_->after);
  batch_.reset();
  save_cursor();
  note_ended_logs();
  attempt_ = 0;
  backoff_.reset();
  parts_.host.gives_slot_back(*this);
  if (lines_waiting_ && batcher_.more()) return queue();
  behind_since_ = came_since_;
  if (lines_waiting_) return linger(parts_.max_age);
  rest();
}

void Lane::save_cursor() {
  const auto saved = cursor_file_.save(cursor_);
  cursor_saved_ = static_cast<bool>(saved);
  if (!saved) parts_.host.notice(saved.error().message() + ": the cursor is kept in memory");
  parts_.host.settled(*this);
}

bool Lane::sync() {
  const auto letters = parts_.dead_letters.sync();
  const auto synced = letters ? cursor_file_.sync() : letters;
  if (!synced) {
    parts_.host.notice(synced.error().message() + ": trying again");
    return false;
  }
  synced_ = cursor_;
  cursor_saved_ = true;
  if (state_ == State::kIdle && std::exchange(flight_there_, false)) flight_file_.remove();
  return true;
}

// ---- Logs that nobody has any more.

void Lane::set_wanted(const std::string& path, bool wanted) {
  if (wanted)
    unwanted_.erase(path);
  else if (has_source(path))
    unwanted_.insert(path);
}

// While no batch is in work the sources are where the cursor is.
void Lane::note_ended_logs() {
  for (const std::string& path : unwanted_)
    if (batcher_.finished(path)) ended_.insert(path);
}

std::vector<std::string> Lane::ended_logs() {
  if (!batch_) note_ended_logs();
  std::vector<std::string> ended;
  for (const std::string& path : std::exchange(ended_, {}))
    if (unwanted_.contains(path)) ended.push_back(path);
  return ended;
}

void Lane::drop_source(const std::string& path) {
  if (!has_source(path)) return;
  batcher_.drop_source(path);
  unwanted_.erase(path);
  for (LaneCursor* const cursor : {&cursor_, &synced_, batch_ ? &batch_->after : nullptr})
    if (cursor != nullptr) forget_log(*cursor, path);
  if (!batch_) save_cursor();  // Else with the batch.
}

// Of a lane whose logs are mostly quiet, few files are open.
void Lane::tidy_later() {
  if (tidy_timer_ != 0) return;
  tidy_timer_ = parts_.timers.call_after(kFilesStayOpen, [this] {
    tidy_timer_ = 0;
    if (batcher_.close_files(parts_.clock.steady_now() - kFilesStayOpen)) tidy_later();
  });
}

void Lane::redelivered(const std::string& app, LogId log, std::uint64_t lines) {
  for (LaneCursor* cursor : {&cursor_, batch_ ? &batch_->after : nullptr}) {
    if (cursor == nullptr) continue;
    auto at = std::find_if(cursor->begin(), cursor->end(),
                           [&](const auto& entry) { return log_id_of(entry.first) == log; });
    if (at == cursor->end() && app == parts_.app) at = cursor->find(kGoneLogs);
    if (at == cursor->end()) continue;
    Tally& tally = at->second.tally;
    std::uint64_t& refused = tally.dropped[static_cast<std::size_t>(Drop::kRefused)];
    const std::uint64_t moved = std::min(refused, lines);
    refused -= moved;
    tally.delivered += moved;
  }
  if (!batch_) save_cursor();  // Else with the batch.
}

}  // namespace pmx::ship
