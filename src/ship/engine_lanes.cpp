// What is to be shipped, as the list of apps says it and the disk keeps it. On control.
#include <algorithm>
#include <set>

#include "rotate/log_reader.h"
#include "ship/engine.h"
#include "ship/flight.h"
#include "ship/sink_runner.h"

namespace pmx::ship {

Result<void> ShipEngine::configure(const std::vector<Shipment>& shipments,
                                   const std::set<std::string>& listed) {
  Picture picture;
  picture.number = ++pictures_;
  const std::vector<KnownLane> known = PMX_TRY(known_lanes(state_, options_.home + "/state"));
  for (const Shipment& shipment : shipments) PMX_TRY(write_lane(shipment, picture));
  PMX_TRY(write_leftovers(known, listed, picture));
  hang_bells(picture);
  Floors pending;
  for (const auto& [id, wanted] : picture.sinks)
    for (const auto& [base, lane] : wanted.lanes) add_floors(base, lane, pending);
  published_.with([&](Published& published) {
    published.pending = std::move(pending);
    published.picture = picture.number;
    published.unknown = picture.unknown;
  });
  loop_->post([this, picture = std::move(picture)] { apply(picture); });
  return {};
}

// One for each log that somebody ships.
void ShipEngine::hang_bells(const Picture& picture) {
  std::unordered_map<std::string, std::shared_ptr<Bell>> hung;
  bells_.with([&](auto& bells) {
    for (const auto& [id, wanted] : picture.sinks)
      for (const auto& [base, lane] : wanted.lanes)
        for (const LaneLog& log : lane.logs) {
          const auto before = bells.find(log.path);
          hung.try_emplace(log.path,
                           before != bells.end() ? before->second : std::make_shared<Bell>());
        }
    bells = std::move(hung);
  });
}

Result<void> ShipEngine::write_lane(const Shipment& shipment, Picture& picture) {
  const std::string id = sink_id(shipment.sink.spec);
  const std::string directory = options_.home + "/state/ship/" + id;
  const std::string base = directory + '/' + lane_name(shipment.origin.app);
  const std::string path = base + ".lane.json";
  PMX_TRY(state_.make_directories(directory, 0700));
  LaneFile lane;
  LaneCursor known;  // Of a lane whose file cannot be read: its cursor says where it was.
  auto old = read_lane(state_, path);
  const std::string before = old ? to_json(*old).dump() : "";
  if (old) {
    lane = std::move(*old);
  } else if (old.error().code() == Errc::kNotFound) {
    // What an ended lane of the app may have left is none of this one's.
    CursorFile(state_, base).remove();
    FlightFile(state_, base).remove();
  } else if (retryable(old.error())) {
    return old.error();
  } else if (auto cursor = CursorFile(state_, base).load(); cursor && *cursor) {
    known = std::move(**cursor);
  }
  lane.origin = shipment.origin;
  lane.wanted = true;
  std::set<std::string_view> wished, there;
  for (const Shipment::Log& log : shipment.logs) wished.insert(log.path);
  for (LaneLog& log : lane.logs) {
    log.end.reset();
    log.wanted = wished.contains(log.path);
    there.insert(log.path);
  }
  std::vector<LaneLog> fresh;
  for (const Shipment::Log& log : shipment.logs) {
    if (there.contains(log.path)) continue;
    const auto at = known.find(log.path);
    const LogCursor begin = at != known.end() ? at->second : PMX_TRY(end_of(log));
    fresh.push_back({log.path, log.owner, begin});
  }
  lane.logs.insert(lane.logs.end(), fresh.begin(), fresh.end());
  const std::string written = to_json(lane).dump();
  if (written != before) PMX_TRY(state_.replace_file(path, written, 0600, Fs::Sync::kYes));
  Wanted& wanted = picture.sinks[id];
  if (wanted.lanes.empty()) PMX_TRY(write_sink(directory, shipment.sink.spec));
  wanted.sink = shipment.sink;
  wanted.lanes.emplace_back(base, std::move(lane));
  return {};
}

Result<void> ShipEngine::write_sink(const std::string& directory, const SinkSpec& spec) {
  const std::string text = parts_.sink_to_json(spec).dump(2) + '\n';
  const auto before = state_.read_file(directory + "/sink.json");
  if (before && *before == text) return {};
  return state_.replace_file(directory + "/sink.json", text, 0600, Fs::Sync::kYes);
}

// Where nothing of the log has been shipped: what comes from now on.
Result<LogCursor> ShipEngine::end_of(const Shipment::Log& log) const {
  RealFs files(log.owner);
  rotate::LogReader reader(files, rotate::LogDir(options_.home + "/state", log.path));
  reader.seek_end();
  LogCursor cursor;
  if (reader.trouble())
    return Error(Errc::kUnavailable, "where " + log.path + " ends: " + reader.trouble_text());
  const auto position = reader.end_position();
  if (!position) return cursor;
  cursor.at.epoch = position->epoch;
  cursor.at.next_seq = cursor.begin = position->seq;
  cursor.at.segment = position->segment;
  return cursor;
}

Result<void> ShipEngine::write_leftovers(const std::vector<KnownLane>& known,
                                         const std::set<std::string>& listed, Picture& picture) {
  for (const KnownLane& lane : known) {
    const auto wanted = picture.sinks.find(lane.sink_id);
    const bool is_wanted = wanted != picture.sinks.end() &&
                           std::any_of(wanted->second.lanes.begin(), wanted->second.lanes.end(),
                                       [&](const auto& one) { return one.first == lane.base; });
    if (is_wanted) continue;
    if (!lane.file) {
      picture.unknown = !add_unreadable(lane.base, picture.unreadable) || picture.unknown;
      continue;
    }
    LaneFile file = *lane.file;
    if (file.wanted) {
      PMX_TRY(end_lane(file, listed));
      PMX_TRY(state_.replace_file(lane.base + ".lane.json", to_json(file).dump(), 0600,
                                  Fs::Sync::kYes));
    }
    Wanted& leftover = picture.sinks[lane.sink_id];
    leftover.lanes.emplace_back(lane.base, std::move(file));
    if (!leftover.sink.spec.urls.empty()) continue;
    auto spec = sink_of(lane.base.substr(0, lane.base.rfind('/')));
    if (!spec) {
      parts_.notice("ship: " + spec.error().message() + ": its lines wait");
      continue;
    }
    leftover.sink.secret = parts_.secret_of(*spec);
    leftover.sink.spec = std::move(*spec);
  }
  return {};
}

Result<void> ShipEngine::end_lane(LaneFile& file, const std::set<std::string>& listed) const {
  file.wanted = false;
  if (!listed.contains(file.origin.app)) return {};
  for (LaneLog& log : file.logs) log.end = PMX_TRY(end_of({log.path, log.owner})).at;
  return {};
}

// The lane has delivered all it had. Unless it is wanted again meanwhile, its files go, the one
// that makes it a lane first.
void ShipEngine::forget_lane(const std::string& base) {
  const auto file = read_lane(state_, base + ".lane.json");
  if (!file || file->wanted) return;
  (void)state_.remove(base + ".lane.json");
  CursorFile(state_, base).remove();
  FlightFile(state_, base).remove();
  const std::string directory = base.substr(0, base.rfind('/'));
  const std::string id = directory.substr(directory.rfind('/') + 1);
  const auto left = known_lanes(state_, options_.home + "/state");
  if (left && std::none_of(left->begin(), left->end(),
                           [&](const KnownLane& lane) { return lane.sink_id == id; }))
    forget_sink(id);
}

// Of an app that has fewer instances, or logs to another file now. All of it is settled; unless it
// is wanted again meanwhile, it goes: from the lane's file first, so that a start knows what else
// is to go.
void ShipEngine::forget_log(const std::string& base, const std::string& path) {
  const std::string file_path = base + ".lane.json";
  auto file = read_lane(state_, file_path);
  if (!file || !file->wanted) return;
  const auto gone = std::erase_if(
      file->logs, [&](const LaneLog& log) { return log.path == path && !log.wanted; });
  if (gone == 0) return;
  // Where the disk is full the lane tells again.
  if (!state_.replace_file(file_path, to_json(*file).dump(), 0600, Fs::Sync::kYes)) return;
  const std::string directory = base.substr(0, base.rfind('/'));
  loop_->post([this, id = directory.substr(directory.rfind('/') + 1), base, path] {
    const auto runner = runners_.find(id);
    if (runner != runners_.end()) runner->second->drop_log(base, path);
    publish_floors();
  });
}

// No app ships there, and nothing waits for it.
void ShipEngine::forget_sink(const std::string& id) {
  (void)state_.remove(pause_path(id));
  (void)state_.remove(options_.home + "/state/ship/" + id + "/sink.json");
  loop_->post([this, id] {
    (void)state_.remove(options_.home + "/state/ship/" + id + "/rates.json");
    const auto runner = runners_.find(id);
    if (runner == runners_.end()) return;
    if (runner->second->has_dead_letters()) return runner->second->resume();
    runner->second->remove_dead_letters();
    runners_.erase(runner);
    name_sinks();
  });
}

Result<SinkSpec> ShipEngine::sink_of(const std::string& directory) const {
  const std::string path = directory + "/sink.json";
  const std::string text = PMX_TRY(state_.read_file(path));
  const Json json = PMX_TRY_WITHIN(path, Json::parse(text));
  return parts_.sink_from_json(json);
}

}  // namespace pmx::ship
