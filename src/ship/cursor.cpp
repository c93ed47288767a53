#include "ship/cursor.h"

#include <charconv>
#include <numeric>
#include <utility>

#include "base/crc32c.h"

namespace pmx::ship {
namespace {

constexpr std::array<std::string_view, kDrops> kDropNames{
    "filtered", "sampled", "rate_limited", "refused", "retention", "flushed", "disk_full", "lost"};

std::uint64_t number(const Json& json) { return static_cast<std::uint64_t>(json.as_int()); }

Tally tally_from(const Json& json) {
  Tally tally;
  tally.delivered = number(json["delivered"]);
  tally.duplicates = number(json["duplicates"]);
  for (std::size_t i = 0; i < kDrops; ++i)
    tally.dropped[i] = number(json["dropped"][kDropNames[i]]);
  return tally;
}

Json to_json(const LogCursor& log) {
  Json ahead = Json::object();
  for (const auto& [stream, seq] : log.at.ahead) ahead.set(std::to_string(stream.value), seq);
  return Json::object({{"epoch", log.at.epoch},
                       {"next_seq", log.at.next_seq},
                       {"segment", log.at.segment},
                       {"ahead", ahead},
                       {"begin", log.begin},
                       {"tally", ship::to_json(log.tally)}});
}

LogCursor log_cursor_from(const Json& json) {
  LogCursor log;
  log.at.epoch = static_cast<std::uint32_t>(number(json["epoch"]));
  log.at.next_seq = number(json["next_seq"]);
  log.at.segment = number(json["segment"]);
  log.begin = number(json["begin"]);
  log.tally = tally_from(json["tally"]);
  for (const auto& [stream, seq] : json["ahead"].members()) {
    StreamId id;
    std::from_chars(stream.data(), stream.data() + stream.size(), id.value);
    log.at.ahead[id] = number(seq);
  }
  return log;
}

struct Loaded {
  std::uint64_t serial = 0;
  LaneCursor cursor;
};

// "<crc, 8 hex digits> <JSON>\n": a file that power failed on is known by its sum.
std::string with_sum(const std::string& json) {
  char sum[9];
  std::snprintf(sum, sizeof sum, "%08x", crc32c(json.data(), json.size()));
  return std::string(sum) + ' ' + json + '\n';
}

Result<Loaded> parse(const std::string& path, std::string_view text) {
  if (text.size() < 10 || text.back() != '\n' ||
      with_sum(std::string(text.substr(9, text.size() - 10))) != text)
    return corrupt(path + " is not whole");
  const Json json = PMX_TRY_WITHIN(path, Json::parse(text.substr(9)));
  Loaded loaded;
  loaded.serial = number(json["serial"]);
  loaded.cursor = lane_cursor_from(json["logs"]);
  return loaded;
}

}  // namespace

std::string_view name_of(Drop drop) { return kDropNames[static_cast<std::size_t>(drop)]; }

std::uint64_t Tally::settled() const {
  return std::accumulate(dropped.begin(), dropped.end(), delivered);
}

Tally& Tally::operator+=(const Tally& other) {
  delivered += other.delivered;
  duplicates += other.duplicates;
  for (std::size_t i = 0; i < kDrops; ++i) dropped[i] += other.dropped[i];
  return *this;
}

void forget_log(LaneCursor& cursor, const std::string& path) {
  const auto found = cursor.find(path);
  if (found == cursor.end() || path == kGoneLogs) return;
  const Tally tally = found->second.tally;
  cursor.erase(found);
  cursor[kGoneLogs].tally += tally;
}

Json to_json(const Tally& tally) {
  Json dropped = Json::object();
  for (std::size_t i = 0; i < kDrops; ++i)
    if (tally.dropped[i] > 0) dropped.set(std::string(kDropNames[i]), tally.dropped[i]);
  return Json::object(
      {{"delivered", tally.delivered}, {"duplicates", tally.duplicates}, {"dropped", dropped}});
}

Json to_json(const LaneCursor& cursor) {
  Json logs = Json::object();
  for (const auto& [path, log] : cursor) logs.set(path, to_json(log));
  return logs;
}

LaneCursor lane_cursor_from(const Json& json) {
  LaneCursor cursor;
  for (const auto& [path, log] : json.members()) cursor[path] = log_cursor_from(log);
  return cursor;
}

Result<std::optional<LaneCursor>> CursorFile::load() {
  std::optional<Loaded> newest;
  std::optional<Error> trouble;
  for (const char* const ending : {".cursor", ".cursor.synced"}) {
    const std::string path = base_ + ending;
    const auto text = fs_.read_file(path);
    if (!text && text.error().code() == Errc::kNotFound) continue;
    auto loaded = text ? parse(path, *text) : Result<Loaded>(text.error());
    if (!loaded)
      trouble = std::move(loaded).error();
    else if (!newest || loaded->serial > newest->serial)
      newest = std::move(loaded).value();
  }
  if (!newest && trouble) return *trouble;
  if (!newest) return std::optional<LaneCursor>();
  serial_ = newest->serial;
  return std::optional(std::move(newest->cursor));
}

Result<void> CursorFile::save(const LaneCursor& cursor) {
  const std::string json =
      Json::object({{"serial", serial_ + 1}, {"logs", to_json(cursor)}}).dump();
  std::string text = with_sum(json);
  ++serial_;
  const auto written = fs_.replace_file(base_ + ".cursor", text);
  saved_ = std::move(text);  // Where the disk is full just now, sync() tries again.
  return written;
}

Result<void> CursorFile::sync() {
  if (saved_.empty()) return {};
  PMX_TRY(fs_.replace_file(base_ + ".cursor.synced", saved_, 0600, Fs::Sync::kYes));
  saved_.clear();
  return {};
}

void CursorFile::remove() {
  (void)fs_.remove(base_ + ".cursor");
  (void)fs_.remove(base_ + ".cursor.synced");
}

}  // namespace pmx::ship
