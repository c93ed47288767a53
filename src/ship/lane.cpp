#include "ship/lane.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "ship/compress.h"

namespace pmx::ship {
namespace {

// Of a body and its prefix: more than a batch may have.
constexpr std::size_t kMaxBodyBytes = 256U << 20U;

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
  lines_came(false);
}

// What an earlier daemon had sent is sent again as it was; else reading begins at the cursor.
void Lane::start() {
  started_ = true;
  auto loaded = cursor_file_.load();
  if (!loaded) parts_.host.notice(loaded.error().message() + ": begins with the oldest line");
  if (loaded && *loaded) cursor_ = std::move(**loaded);
  for (const auto& [path, begin] : begins_) cursor_.try_emplace(path, begin);
  synced_ = cursor_;
  batch_ = flight_file_.load();
  flight_there_ = batch_.has_value();
  if (batch_ && batch_->serial <= cursor_file_.serial()) batch_.reset();
  if (batch_)
    for (Parcel& parcel : batch_->parcels) parcel.id = next_parcel_++;
  if (batch_)
    for (const auto& [path, begin] : begins_) batch_->after.try_emplace(path, begin);
  batcher_.seek(batch_ ? batch_->after : cursor_);
  lines_waiting_ = true;
  queue();
}

void Lane::stop() {
  for (const Sending& each : sending_) {
    parts_.transport.cancel(each.id);
    parts_.host.cancelled(each.since);
  }
  sending_.clear();
  parts_.timers.cancel(std::exchange(timer_, 0));
}

std::chrono::milliseconds Lane::lag() const {
  if (!behind_since_) return std::chrono::milliseconds(0);
  return std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.steady_now() -
                                                               *behind_since_);
}

void Lane::lines_came(bool many) {
  lines_waiting_ = true;
  if (!behind_since_) behind_since_ = parts_.clock.steady_now();
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
  if (!batch_ && !next_batch()) {
    parts_.host.gives_slot_back(*this);
    return rest();
  }
  state_ = State::kSending;
  must_wait_ = false;
  if (batch_->settled()) return finish_batch();
  send_open();
}

bool Lane::next_batch() {
  lines_waiting_ = false;
  parts_.host.reading(*this);
  batch_ = batcher_.build(cursor_, cursor_file_.serial() + 1);
  for (const std::string& warning : batcher_.take_warnings()) parts_.host.notice(warning);
  if (!batch_) return false;
  for (Parcel& parcel : batch_->parcels) parcel.id = next_parcel_++;
  lines_waiting_ = batcher_.more();
  if (!batch_->parcels.empty()) save_flight();
  return true;
}

// Nothing to send. A stack trace that may go on is looked at when it has been quiet long enough.
void Lane::rest() {
  state_ = State::kIdle;
  behind_since_.reset();
  if (std::exchange(flight_there_, false)) flight_file_.remove();
  const auto open_for = batcher_.open_for();
  if (!open_for) return batcher_.release_memory();
  state_ = State::kLingering;
  timer_ = parts_.timers.call_after(*open_for, [this, left = parts_.max_age - *open_for] {
    timer_ = 0;
    // What came meanwhile is sent as always, and the open one with it.
    if (lines_waiting_ && left > left.zero()) return linger(left);
    queue();
  });
}

void Lane::save_flight() {
  const auto saved = flight_file_.save(*batch_);
  flight_there_ = true;
  if (!saved) parts_.host.notice(saved.error().message() + ": sent without a copy");
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
  }
  for (const std::uint32_t id : ready) send(batch_->parcels[index_of(id)]);
}

void Lane::send(const Parcel& parcel) {
  HttpRequest request =
      parts_.sink.request(parts_.sink.group_named(parcel.group), parcel.framed.body, attempt_);
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
  const Parcel& parcel = batch_->parcels[number];
  // Most answers say yes to all of it. For the others the items' bytes are needed.
  std::string body;
  std::string_view bytes;
  if (answer.status != 0 && answer.status != 204) {
    auto opened = decompress(parcel.framed.codec, parcel.framed.body, kMaxBodyBytes);
    const std::size_t around = parcel.framed.prefix_bytes + parcel.framed.suffix_bytes;
    PMX_CHECK(opened && opened->size() >= around);  // We made it.
    body = std::move(*opened);
    bytes = std::string_view(body).substr(parcel.framed.prefix_bytes, body.size() - around);
  }
  const Verdict verdict = parts_.sink.judge(answer, parcel.items, bytes);
  parts_.host.answered(sent_at, verdict, answer);
  act_on(number, verdict, bytes);
  if (batch_->settled()) return finish_batch();
  if (!must_wait_) return send_open();
  if (sending_.empty()) wait();
}

void Lane::act_on(std::size_t number, const Verdict& verdict, std::string_view bytes) {
  switch (verdict.kind) {
    case Verdict::Kind::kDelivered:
      batch_->settle_all(number, false);
      flight_file_.mark_settled(*batch_, number);
      return;
    case Verdict::Kind::kItems:
      return apply_items(number, verdict, bytes);
    case Verdict::Kind::kSplit:
      return split(number, bytes);
    case Verdict::Kind::kRetry:
    case Verdict::Kind::kBlocked:
      must_wait_ = true;
      retry_after_ = verdict.retry_after;
      return;
  }
}

Parcel Lane::parcel_of(const Parcel& from, std::vector<Item> items, std::string_view bytes) {
  return {next_parcel_++, from.group, parts_.sink.frame(parts_.sink.group_named(from.group), bytes),
          std::move(items)};
}

DeadLetter Lane::letter_of(const Parcel& parcel, const Item& item, std::string_view bytes,
                           const ItemVerdict& verdict) const {
  DeadLetter letter;
  letter.time_ns = item.time_ns;
  letter.app = parts_.app;
  letter.stream = letter.group = parcel.group;
  letter.status = verdict.status;
  letter.reason = name_of(Drop::kRefused);
  letter.store = verdict.reason;
  letter.line = parts_.sink.text_of(bytes);
  letter.seq = item.seq;
  letter.lines = item.lines;
  letter.log = log_id_of(batch_->sources[item.source]);
  letter.item = std::string(bytes);
  return letter;
}

// What was refused goes to the dead letters, what is not for now becomes a parcel of its own.
void Lane::apply_items(std::size_t number, const Verdict& verdict, std::string_view bytes) {
  const Parcel& parcel = batch_->parcels[number];
  std::vector<DeadLetter> letters;
  std::vector<Item> again;
  std::string again_bytes;
  LaneCursor after = batch_->after;
  for (std::size_t i = 0, at = 0; i < parcel.items.size(); at += parcel.items[i++].size_bytes) {
    const Item& item = parcel.items[i];
    const std::string_view of_item = bytes.substr(at, item.size_bytes);
    Tally& tally = after[batch_->sources[item.source]].tally;
    switch (verdict.items[i].kind) {
      case ItemVerdict::Kind::kDuplicate:
        tally.duplicates += item.lines;
        tally.delivered += item.lines;
        break;
      case ItemVerdict::Kind::kDelivered:
        tally.delivered += item.lines;
        break;
      case ItemVerdict::Kind::kRetry:
        again.push_back(item);
        again_bytes += of_item;
        break;
      case ItemVerdict::Kind::kRefused:
        tally.drop(Drop::kRefused, item.lines);
        letters.push_back(letter_of(parcel, item, of_item, verdict.items[i]));
        break;
    }
  }
  const auto kept = letters.empty() ? Result<void>() : parts_.dead_letters.append(letters);
  must_wait_ = must_wait_ || !kept || !again.empty();
  retry_after_ = verdict.retry_after;
  if (!kept)  // All of it is sent and judged again, when there is room.
    return parts_.host.notice(kept.error().message() + ": refused lines wait");
  batch_->after = std::move(after);
  if (again.empty())
    batch_->parcels[number].settled = true;
  else
    batch_->parcels[number] = parcel_of(parcel, std::move(again), again_bytes);
  save_flight();
}

// The second half comes right behind the first, before what was to follow in this stream.
void Lane::split(std::size_t number, std::string_view bytes) {
  const Parcel parcel = std::move(batch_->parcels[number]);
  PMX_CHECK(parcel.items.size() > 1);  // A sink refuses a single item, or holds it.
  const auto middle = parcel.items.begin() + static_cast<std::ptrdiff_t>(parcel.items.size() / 2);
  std::size_t half_bytes = 0;
  for (auto item = parcel.items.begin(); item != middle; ++item) half_bytes += item->size_bytes;
  batch_->parcels[number] =
      parcel_of(parcel, {parcel.items.begin(), middle}, bytes.substr(0, half_bytes));
  batch_->parcels.insert(batch_->parcels.begin() + static_cast<std::ptrdiff_t>(number) + 1,
                         parcel_of(parcel, {middle, parcel.items.end()}, bytes.substr(half_bytes)));
  save_flight();
}

void Lane::wait() {
  ++attempt_;
  state_ = State::kWaiting;
  const auto asked = std::exchange(retry_after_, std::nullopt);
  const auto delay = std::max(backoff_.next(), asked.value_or(std::chrono::milliseconds(0)));
  next_try_ = parts_.clock.steady_now() + delay;
  timer_ = parts_.timers.call_after(delay, [this] { wake(); });
  parts_.host.gives_slot_back(*this);
}

void Lane::finish_batch() {
  cursor_ = std::move(batch_->after);
  batch_.reset();
  const auto saved = cursor_file_.save(cursor_);
  if (!saved) parts_.host.notice(saved.error().message() + ": the cursor is kept in memory");
  attempt_ = 0;
  backoff_.reset();
  parts_.host.settled(*this);
  parts_.host.gives_slot_back(*this);
  if (lines_waiting_ && batcher_.more()) return queue();
  behind_since_.reset();
  if (lines_waiting_) {
    behind_since_ = parts_.clock.steady_now();
    return linger(parts_.max_age);
  }
  rest();
}

void Lane::sync() {
  const auto letters = parts_.dead_letters.sync();
  const auto synced = letters ? cursor_file_.sync() : letters;
  if (!synced) return parts_.host.notice(synced.error().message() + ": trying again");
  synced_ = cursor_;
}

void Lane::redelivered(LogId log, std::uint64_t lines) {
  for (LaneCursor* cursor : {&cursor_, batch_ ? &batch_->after : nullptr}) {
    if (cursor == nullptr) continue;
    for (auto& [path, at] : *cursor) {
      if (log_id_of(path) != log) continue;
      std::uint64_t& refused = at.tally.dropped[static_cast<std::size_t>(Drop::kRefused)];
      const std::uint64_t moved = std::min(refused, lines);
      refused -= moved;
      at.tally.delivered += moved;
    }
  }
  if (!batch_) (void)cursor_file_.save(cursor_);  // Else with the batch.
}

}  // namespace pmx::ship
