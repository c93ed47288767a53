#include "ship/flight.h"

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"

namespace pmx::ship {
namespace {

constexpr std::string_view kMagic = "pmxflt01";
constexpr std::size_t kFixedBytes = 16;  // Magic, crc of what follows, size of the head.

void append_u32(std::string& out, std::uint32_t value) {
  char bytes[4];
  std::memcpy(bytes, &value, 4);
  out.append(bytes, 4);
}

std::uint32_t u32_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

Json head_of(const Batch& batch) {
  Json sources = Json::array(), parcels = Json::array();
  for (const std::string& source : batch.sources) sources.push_back(source);
  for (const Parcel& parcel : batch.parcels)
    parcels.push_back(Json::object({{"group", parcel.group},
                                    {"codec", static_cast<int>(parcel.framed.codec)},
                                    {"prefix_bytes", parcel.framed.prefix_bytes},
                                    {"suffix_bytes", parcel.framed.suffix_bytes},
                                    {"items", parcel.items.size()},
                                    {"body_bytes", parcel.framed.body.size()}}));
  return Json::object({{"serial", batch.serial},
                       {"coding", batch.coding},
                       {"sources", sources},
                       {"after", to_json(batch.after)},
                       {"parcels", parcels}});
}

std::size_t size_of(const Json& json) { return static_cast<std::size_t>(json.as_int()); }

// Where each parcel's items and body are, checked against the file's size.
bool read_parcels(const Json& head, std::string_view rest, std::string_view& marks, Batch& batch) {
  for (const Json& row : head["parcels"].items()) {
    Parcel parcel;
    const std::size_t items_bytes = size_of(row["items"]) * sizeof(Item);
    const std::size_t body_bytes = size_of(row["body_bytes"]);
    if (rest.size() < items_bytes || rest.size() - items_bytes < body_bytes) return false;
    parcel.group = row["group"].as_string();
    parcel.framed.codec = static_cast<Codec>(row["codec"].as_int());
    parcel.framed.prefix_bytes = static_cast<std::uint32_t>(row["prefix_bytes"].as_int());
    parcel.framed.suffix_bytes = static_cast<std::uint32_t>(row["suffix_bytes"].as_int());
    parcel.items.resize(size_of(row["items"]));
    if (items_bytes > 0) std::memcpy(parcel.items.data(), rest.data(), items_bytes);
    parcel.framed.body = rest.substr(items_bytes, body_bytes);
    rest.remove_prefix(items_bytes + body_bytes);
    batch.parcels.push_back(std::move(parcel));
  }
  marks = rest;
  return marks.size() == batch.parcels.size();
}

}  // namespace

void Batch::settle_all(std::size_t parcel, bool duplicates) {
  parcels[parcel].settled = true;
  for (const Item& item : parcels[parcel].items) {
    Tally& tally = after[sources[item.source]].tally;
    tally.delivered += item.lines;
    if (duplicates) tally.duplicates += item.lines;
  }
}

bool Batch::settled() const {
  return std::all_of(parcels.begin(), parcels.end(), [](const Parcel& p) { return p.settled; });
}

// magic (8), crc of all from byte 12 up to the marks (4), head bytes (4), head, parcels, marks.
Result<void> FlightFile::save(Batch& batch) {
  std::erase_if(batch.parcels, [](const Parcel& parcel) { return parcel.settled; });
  const std::string head = head_of(batch).dump();
  std::string bytes(kMagic);
  append_u32(bytes, 0);
  append_u32(bytes, static_cast<std::uint32_t>(head.size()));
  bytes += head;
  for (const Parcel& parcel : batch.parcels) {
    bytes.append(reinterpret_cast<const char*>(parcel.items.data()),
                 parcel.items.size() * sizeof(Item));
    bytes += parcel.framed.body;
  }
  const std::uint32_t crc = crc32c(bytes.data() + 12, bytes.size() - 12);
  std::memcpy(bytes.data() + 8, &crc, 4);
  const std::size_t marks_at = bytes.size();
  bytes.append(batch.parcels.size(), '0');
  marks_at_ = 0;
  PMX_TRY(fs_.replace_file(path_, bytes));
  marks_at_ = marks_at;
  return {};
}

void FlightFile::mark_settled(const Batch& batch, std::size_t parcel) {
  if (marks_at_ == 0 || batch.parcels.size() == 1) return;  // The cursor says it in a moment.
  const auto file = fs_.open(path_, OpenMode::kReadWrite);
  if (file) (void)(*file)->pwrite_all("1", marks_at_ + parcel);
}

void FlightFile::remove() {
  marks_at_ = 0;
  (void)fs_.remove(path_);
}

void FlightFile::put_away(Batch& batch) const {
  if (marks_at_ == 0) return;
  batch.away = true;
  for (Parcel& parcel : batch.parcels) {
    parcel.framed.body = std::string();
    parcel.items = std::vector<Item>();
  }
}

bool FlightFile::fetch(Batch& batch) {
  if (!batch.away) return true;
  auto loaded = load();
  if (!loaded || loaded->serial != batch.serial || loaded->parcels.size() != batch.parcels.size())
    return false;
  for (std::size_t i = 0; i < batch.parcels.size(); ++i) {
    if (batch.parcels[i].settled) continue;
    batch.parcels[i].framed = std::move(loaded->parcels[i].framed);
    batch.parcels[i].items = std::move(loaded->parcels[i].items);
  }
  batch.away = false;
  return true;
}

std::optional<Batch> FlightFile::load() {
  marks_at_ = 0;
  const auto bytes = fs_.read_file(path_);
  if (!bytes || bytes->size() < kFixedBytes || bytes->substr(0, kMagic.size()) != kMagic)
    return std::nullopt;
  const std::string_view all = *bytes;
  const std::size_t head_bytes = u32_at(all, 12);
  if (all.size() - kFixedBytes < head_bytes) return std::nullopt;
  const auto head = Json::parse(all.substr(kFixedBytes, head_bytes));
  if (!head) return std::nullopt;
  Batch batch;
  std::string_view marks;
  if (!read_parcels(*head, all.substr(kFixedBytes + head_bytes), marks, batch)) return std::nullopt;
  const std::size_t marks_at = all.size() - marks.size();
  if (crc32c(all.data() + 12, marks_at - 12) != u32_at(all, 8)) return std::nullopt;
  marks_at_ = marks_at;
  batch.coding = (*head)["coding"].as_string();
  batch.serial = static_cast<std::uint64_t>((*head)["serial"].as_int());
  for (const Json& source : (*head)["sources"].items()) batch.sources.push_back(source.as_string());
  batch.after = lane_cursor_from((*head)["after"]);
  for (std::size_t i = 0; i < marks.size(); ++i)
    if (marks[i] == '1') batch.settle_all(i, false);
  return batch;
}

}  // namespace pmx::ship
