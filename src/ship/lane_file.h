// What lane there is, as the disk knows it: which app's logs go to a sink, and where each began.
// Written by the control thread before the app starts, so that no line comes before its lane.
//
//   <state>/ship/<sink id>/sink.json          the sink's spec, without secrets
//   <state>/ship/<sink id>/<lane>.lane.json   this
//   <state>/ship/<sink id>/<lane>.cursor …    lane.h's
//
// Thread: any; the files have one writer.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/json.h"
#include "ship/cursor.h"
#include "ship/event.h"

namespace pmx::ship {

struct LaneLog {
  std::string path;  // Of the active file.
  std::optional<FileOwner> owner;
  LogCursor begin;  // Where the lane's first line is.
  // The app goes on and ships there no more: nothing from here on.
  std::optional<LogPosition> end = {};
  bool wanted = true;  // false: no instance has it any more; what is in it still goes.
};

struct LaneFile {
  Origin origin;  // Without `log`.
  std::vector<LaneLog> logs;
  bool wanted = true;  // false: the app ships there no more; what it had printed still goes.
};

// Of each log, by its active path, the first segment that somebody still needs.
using Floors = std::map<std::string, std::uint64_t>;
inline void lower_floor(Floors& floors, const std::string& path, std::uint64_t segment) {
  std::uint64_t& floor = floors.try_emplace(path, segment).first->second;
  floor = std::min(floor, segment);
}

std::string lane_name(std::string_view app);  // 16 hex digits.
Json to_json(const LaneFile& file);
Result<LaneFile> read_lane(Fs& state, const std::string& path);
Result<LaneFile> lane_file_from(const Json& json);

// All that is under <state>/ship. A file that cannot be read does not keep the others; a directory
// that cannot be read is an error, as there may be lanes in it whose lines must be kept.
struct KnownLane {
  std::string sink_id, base;  // `base` is the path without ".lane.json".
  Result<LaneFile> file;
};
Result<std::vector<KnownLane>> known_lanes(Fs& state, const std::string& state_directory);

}  // namespace pmx::ship
