// What answers do to the parcels of a lane's batch, and how these are opened, cut and framed again.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "ship/compress.h"
#include "ship/lane.h"

namespace pmx::ship {
namespace {

// Of a body and its prefix: more than a batch may have.
constexpr std::size_t kMaxBodyBytes = 256U << 20U;

}  // namespace

std::string_view Lane::Opened::items() const {
  return std::string_view(body).substr(prefix_bytes, body.size() - prefix_bytes - suffix_bytes);
}

// nullopt: of a file that is not as we write it.
std::optional<Lane::Opened> Lane::open(const Framed& framed) {
  auto body = decompress(framed.codec, framed.body, kMaxBodyBytes);
  const std::uint64_t around = std::uint64_t{framed.prefix_bytes} + framed.suffix_bytes;
  if (!body || body->size() < around) return std::nullopt;
  return Opened{std::move(*body), framed.prefix_bytes, framed.suffix_bytes};
}

// The flight of an earlier daemon, maybe made under other settings: a store that is told of one
// coding and gets another refuses all of it.
void Lane::adopt_flight() {
  if (batch_->coding != parts_.sink.coding() || !frame_for_codec()) {
    flight_file_.remove();
    flight_there_ = false;
    batch_.reset();
    return parts_.host.notice("lines on their way are encoded again, as the sink is set up now");
  }
  cursor_file_.go_on_at(batch_->serial);
  for (Parcel& parcel : batch_->parcels) {
    parcel.id = next_parcel_++;
    parcel.may_be_there = true;
  }
  ask_first_ = true;  // What the store did meanwhile nobody has seen.
  for (const auto& [path, begin] : begins_) batch_->after.try_emplace(path, begin);
  forget_unknown_logs(batch_->after);
  flight_file_.put_away(*batch_);  // A slot may be long in coming.
}

bool Lane::frame_for_codec() {
  bool changed = false;
  for (Parcel& parcel : batch_->parcels) {
    if (parcel.settled || parcel.framed.codec == parts_.sink.codec()) continue;
    const auto opened = open(parcel.framed);
    if (!opened) return false;
    parcel.framed = parts_.sink.frame(parts_.sink.group_named(parcel.group), opened->items());
    changed = true;
  }
  if (changed) save_flight();
  return true;
}

void Lane::save_flight() {
  const auto saved = flight_file_.save(*batch_);
  flight_there_ = true;
  if (!saved) parts_.host.notice(saved.error().message() + ": sent without a copy");
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
  return {
      next_parcel_++,   from.group, parts_.sink.frame(parts_.sink.group_named(from.group), bytes),
      std::move(items), false,      from.may_be_there};
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
  letter.coding = batch_->coding;
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

}  // namespace pmx::ship
