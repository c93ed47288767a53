// A batch on its way to the store, and its copy on disk: what a lane has sent and nobody has
// answered for. A daemon that takes over sends the same bytes again, so that a store that drops
// repeats sees one.
//
// Owns:       <dir>/<lane>.flight. Thread: ship.
// Invariants: the file is there before the first byte of the batch leaves; it is stale once the
//             cursor's serial has reached the batch's.
// Errors:     a flight that cannot be written does not keep the batch: then a kill -9 makes the
//             batch anew, which a store may see twice where lines were joined otherwise.
// Format:     docs/FORMATS.md, "Flight".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "ship/cursor.h"
#include "ship/sink.h"

namespace pmx::ship {

// One request: events of one of the store's streams.
struct Parcel {
  std::uint32_t id = 0;  // Within its batch, while that is in memory.
  std::string group;     // Sink::name_of().
  Framed framed;
  std::vector<Item> items;
  bool settled = false;
  bool may_be_there = false;  // It was sent, and nobody knows what became of it.
};

struct Batch {
  std::uint64_t serial = 0;          // CursorFile::serial() once it is settled.
  std::string coding;                // Sink::coding() of the items.
  std::vector<std::string> sources;  // Active paths that Item::source counts.
  LaneCursor after;  // The lane's cursor once all of it is settled; tallies grow with answers.
  std::vector<Parcel> parcels;  // Those that are settled have been counted in `after`.
  bool away = false;            // The parcels' items and bodies are in the flight alone.

  // Of the whole parcel; and that it is settled.
  void settle_all(std::size_t parcel, bool duplicates);
  bool settled() const;
};

class FlightFile {
 public:
  FlightFile(Fs& fs, std::string base) : fs_(fs), path_(std::move(base) + ".flight") {}
  // Leaves out the parcels that are settled, here too. After an error the file is an older one.
  Result<void> save(Batch& batch);
  void mark_settled(const Batch& batch, std::size_t parcel);  // Best effort.
  // What the file has of the parcels leaves the memory, until fetch(). Where it is not in the file
  // it stays.
  void put_away(Batch& batch) const;
  bool fetch(Batch& batch);  // False: the file has it no more, and `batch` is of no use.
  // Parcels marked settled come counted. nullopt: none, or not whole (the machine lost power): then
  // the batch is made anew from the cursor.
  std::optional<Batch> load();
  void remove();

 private:
  Fs& fs_;
  std::string path_;
  std::uint64_t marks_at_ = 0;  // 0: the file is not that of the batch in work.
};

}  // namespace pmx::ship
