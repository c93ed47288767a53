#include "ship/lane_file.h"

#include <cerrno>
#include <set>

namespace pmx::ship {
namespace {

constexpr std::string_view kEnding = ".lane.json";

bool ends_with(std::string_view text, std::string_view ending) {
  return text.size() >= ending.size() && text.substr(text.size() - ending.size()) == ending;
}

}  // namespace

std::string lane_name(std::string_view app) { return log_id_of(app).hex(); }

Json to_json(const LaneFile& file) {
  LaneCursor begins, ends;
  Json owners = Json::object(), unwanted = Json::array();
  for (const LaneLog& log : file.logs) {
    begins[log.path] = log.begin;
    if (log.end) ends[log.path].at = *log.end;
    if (!log.wanted) unwanted.push_back(log.path);
    if (log.owner)
      owners.set(log.path, Json::object({{"uid", log.owner->uid}, {"gid", log.owner->gid}}));
  }
  return Json::object({{"app", file.origin.app},
                       {"namespace", file.origin.app_namespace},
                       {"env", file.origin.env},
                       {"host", file.origin.host},
                       {"version", file.origin.version},
                       {"wanted", file.wanted},
                       {"logs", to_json(begins)},
                       {"ends", to_json(ends)},
                       {"owners", owners},
                       {"unwanted", unwanted}});
}

Result<LaneFile> lane_file_from(const Json& json) {
  LaneFile file;
  file.origin.app = json["app"].as_string();
  if (file.origin.app.empty()) return corrupt("a lane without an app");
  file.origin.app_namespace = json["namespace"].as_string();
  file.origin.env = json["env"].as_string();
  file.origin.host = json["host"].as_string();
  file.origin.version = json["version"].as_string();
  file.wanted = json["wanted"].as_bool(true);
  const LaneCursor ends = lane_cursor_from(json["ends"]);
  std::set<std::string_view> unwanted;
  for (const Json& path : json["unwanted"].items()) unwanted.insert(path.as_string());
  for (auto& [path, begin] : lane_cursor_from(json["logs"])) {
    LaneLog log{path, std::nullopt, begin};
    log.wanted = !unwanted.contains(path);
    if (const auto end = ends.find(path); end != ends.end()) log.end = end->second.at;
    if (const Json* const owner = json["owners"].find(path))
      log.owner = FileOwner{static_cast<uid_t>((*owner)["uid"].as_int()),
                            static_cast<gid_t>((*owner)["gid"].as_int())};
    file.logs.push_back(std::move(log));
  }
  return file;
}

Result<LaneFile> read_lane(Fs& state, const std::string& path) {
  const std::string text = PMX_TRY(state.read_file(path));
  const Json json = PMX_TRY_WITHIN(path, Json::parse(text));
  return lane_file_from(json);
}

Result<std::vector<KnownLane>> known_lanes(Fs& state, const std::string& state_directory) {
  std::vector<KnownLane> lanes;
  const std::string root = state_directory + "/ship";
  const auto sinks = state.list(root);
  if (!sinks && sinks.error().code() == Errc::kNotFound) return lanes;
  if (!sinks) return sinks.error();
  for (const std::string& sink : *sinks) {
    const auto names = state.list(root + '/' + sink);
    if (!names && names.error().code() == Errc::kNotFound) continue;
    if (!names && names.error().sys_errno() == ENOTDIR) continue;  // Somebody's file.
    if (!names) return names.error();
    for (const std::string& name : *names) {
      if (!ends_with(name, kEnding)) continue;
      const std::string path = root + '/' + sink + '/' + name;
      auto file = read_lane(state, path);
      if (!file && file.error().code() == Errc::kNotFound) continue;  // It has just ended.
      lanes.push_back({sink, path.substr(0, path.size() - kEnding.size()), std::move(file)});
    }
  }
  return lanes;
}

}  // namespace pmx::ship
