#include "ship/engine.h"

#include <algorithm>

#include "rotate/log_reader.h"
#include "rotate/retention.h"
#include "ship/make_sink.h"
#include "ship/sink_runner.h"

namespace pmx::ship {
namespace {

// So much is worth a request before its time.
constexpr std::uint64_t kManyBytes = 1U << 20U;
constexpr std::size_t kMostRuns = 100'000;

}  // namespace

ShipEngine::ShipEngine(Options options, Parts parts)
    : options_(std::move(options)), parts_(std::move(parts)) {}

Result<std::unique_ptr<ShipEngine>> ShipEngine::start(Options options, Parts parts) {
  std::unique_ptr<ShipEngine> engine(new ShipEngine(std::move(options), std::move(parts)));
  engine->load_floors();
  engine->loop_ = PMX_TRY(EventLoop::create());
  engine->timers_ = std::make_unique<LoopTimers>(*engine->loop_);
  engine->thread_ = std::thread([self = engine.get()] { self->loop_->run(); });
  return engine;
}

// Before retention begins its work: it keeps what the cursors on the disk still need.
void ShipEngine::load_floors() {
  const auto lanes = known_lanes(state_, options_.home + "/state");
  if (!lanes) return parts_.notice("ship: " + lanes.error().message());
  floors_.with([&](auto& floors) {
    for (const KnownLane& lane : *lanes) {
      const auto cursor = CursorFile(state_, lane.base).load();
      for (const LaneLog& log : lane.file.logs) {
        std::uint64_t floor = log.begin.at.segment;
        if (cursor && *cursor)
          if (const auto at = (*cursor)->find(log.path); at != (*cursor)->end())
            floor = at->second.at.segment;
        const auto known = floors.try_emplace(log.path, floor).first;
        known->second = std::min(known->second, floor);
      }
    }
  });
}

ShipEngine::~ShipEngine() {
  loop_->post([this] {
    runners_.clear();  // Cursors to the disk, requests cancelled.
    loop_->stop();
  });
  thread_.join();
}

// ---- What is to be shipped. On control.

Result<void> ShipEngine::configure(const std::vector<Shipment>& shipments) {
  Picture picture;
  const std::vector<KnownLane> known = PMX_TRY(known_lanes(state_, options_.home + "/state"));
  for (const Shipment& shipment : shipments) PMX_TRY(write_lane(shipment, picture));
  PMX_TRY(write_leftovers(known, picture));
  bells_.with([&](auto& bells) {
    for (const auto& [id, wanted] : picture)
      for (const auto& [base, lane] : wanted.lanes)
        for (const LaneLog& log : lane.logs)
          if (auto& bell = bells[log.path]; !bell) bell = std::make_shared<Bell>();
  });
  // Until their lanes know better, all of it is needed.
  floors_.with([&](auto& floors) {
    for (const auto& [id, wanted] : picture)
      for (const auto& [base, lane] : wanted.lanes)
        for (const LaneLog& log : lane.logs) floors.try_emplace(log.path, log.begin.at.segment);
  });
  loop_->post([this, picture = std::move(picture)] { apply(picture); });
  return {};
}

Result<void> ShipEngine::write_lane(const Shipment& shipment, Picture& picture) {
  const std::string id = sink_id(shipment.sink.spec);
  const std::string directory = options_.home + "/state/ship/" + id;
  const std::string base = directory + '/' + lane_name(shipment.origin.app);
  const std::string path = base + ".lane.json";
  PMX_TRY(state_.make_directories(directory, 0700));
  LaneFile lane;
  const auto text = state_.read_file(path);
  if (text) {
    const Json json = PMX_TRY_WITHIN(path, Json::parse(*text));
    lane = PMX_TRY_WITHIN(path, lane_file_from(json));
  } else if (text.error().code() != Errc::kNotFound) {
    return text.error();
  }
  lane.origin = shipment.origin;
  lane.wanted = true;
  for (const Shipment::Log& log : shipment.logs) {
    const bool there = std::any_of(lane.logs.begin(), lane.logs.end(),
                                   [&](const LaneLog& one) { return one.path == log.path; });
    if (!there) lane.logs.push_back({log.path, log.owner, end_of(log)});
  }
  const std::string written = to_json(lane).dump();
  if (!text || *text != written) PMX_TRY(state_.replace_file(path, written, 0600, Fs::Sync::kYes));
  Wanted& wanted = picture[id];
  if (wanted.lanes.empty()) {
    const std::string spec = parts_.sink_to_json(shipment.sink.spec).dump(2) + '\n';
    const auto old = state_.read_file(directory + "/sink.json");
    if (!old || *old != spec) PMX_TRY(state_.replace_file(directory + "/sink.json", spec));
  }
  wanted.sink = shipment.sink;
  wanted.lanes.emplace_back(base, std::move(lane));
  return {};
}

// Where nothing of the log has been shipped: what comes from now on.
LogCursor ShipEngine::end_of(const Shipment::Log& log) const {
  RealFs files(log.owner);
  rotate::LogReader reader(files, rotate::LogDir(options_.home + "/state", log.path));
  reader.seek_end();
  LogCursor cursor;
  const auto position = reader.end_position();
  if (!position) return cursor;
  cursor.at.epoch = position->epoch;
  cursor.at.next_seq = cursor.begin = position->seq;
  cursor.at.segment = position->segment;
  return cursor;
}

Result<void> ShipEngine::write_leftovers(const std::vector<KnownLane>& known, Picture& picture) {
  for (const KnownLane& lane : known) {
    const auto wanted = picture.find(lane.sink_id);
    const bool is_wanted = wanted != picture.end() &&
                           std::any_of(wanted->second.lanes.begin(), wanted->second.lanes.end(),
                                       [&](const auto& one) { return one.first == lane.base; });
    if (is_wanted) continue;
    LaneFile file = lane.file;
    if (file.wanted) {
      file.wanted = false;
      PMX_TRY(state_.replace_file(lane.base + ".lane.json", to_json(file).dump()));
    }
    Wanted& leftover = picture[lane.sink_id];
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

Result<SinkSpec> ShipEngine::sink_of(const std::string& directory) const {
  const std::string path = directory + "/sink.json";
  const std::string text = PMX_TRY(state_.read_file(path));
  const Json json = PMX_TRY_WITHIN(path, Json::parse(text));
  return parts_.sink_from_json(json);
}

// ---- On ship.

void ShipEngine::apply(const Picture& picture) {
  for (const auto& [id, wanted] : picture) {
    std::unique_ptr<SinkRunner>& runner = runners_[id];
    const bool named = !wanted.sink.spec.urls.empty();  // Else leftovers of a sink that is gone.
    if (!runner && !named) continue;
    const bool changed =
        runner && named &&
        (runner->spec() != wanted.sink.spec || runner->secret() != wanted.sink.secret);
    if (changed) runner.reset();
    if (!runner) {
      auto transport = parts_.transport(*loop_, state_, wanted.sink.spec);
      auto made =
          transport
              ? SinkRunner::create(
                    wanted.sink,
                    {state_, parts_.clock, *timers_, parts_.severity_of,
                     [this](StreamId stream) { return run_of(stream); }, parts_.notice,
                     [this](Lane& lane) { lines_read(lane); }, [this] { publish_floors(); },
                     [this](const auto& owner) -> Fs& { return files_of(owner); }, options_.home},
                    std::move(*transport))
              : Result<std::unique_ptr<SinkRunner>>(transport.error());
      if (!made) {
        broken_[id] = made.error().message();
        parts_.notice("ship " + wanted.sink.spec.name + ": " + made.error().message());
        continue;
      }
      broken_.erase(id);
      runner = std::move(*made);
    }
    for (const auto& [base, lane] : wanted.lanes) runner->set_lane(base, lane);
  }
  std::erase_if(runners_, [](const auto& entry) { return entry.second == nullptr; });
  publish_floors();
}

void ShipEngine::publish_floors() {
  std::map<std::string, std::uint64_t> floors;
  for (const auto& [id, runner] : runners_) runner->add_floors(floors);
  std::vector<std::string> moved;
  floors_.with([&](auto& all) {
    for (const auto& [path, floor] : floors) {
      std::uint64_t& known = all[path];
      if (known < floor) moved.push_back(path);
      known = floor;
    }
  });
  for (const std::string& path : moved) parts_.floor_moved(path);
}

std::uint64_t ShipEngine::floor_segment(const std::string& path) const {
  return floors_.with([&](const auto& floors) {
    const auto found = floors.find(path);
    return found == floors.end() ? rotate::kNoFloor : found->second;
  });
}

bool ShipEngine::ships(const std::string& path) const {
  return floor_segment(path) != rotate::kNoFloor;
}

void ShipEngine::recorded(const std::string& path, std::uint64_t bytes) {
  const auto bell = bells_.with([&](const auto& bells) -> std::shared_ptr<Bell> {
    const auto found = bells.find(path);
    return found == bells.end() ? nullptr : found->second;
  });
  if (!bell) return;
  const std::uint64_t before = bell->bytes.fetch_add(bytes);
  const bool many = before < kManyBytes && before + bytes >= kManyBytes;
  if (bell->rung.exchange(true) && !many) return;
  loop_->post([this, path, many] {
    for (const auto& [id, runner] : runners_) {
      runner->directory_changed(path);
      runner->lines_came(path, many);
    }
  });
}

// What is recorded after this is told anew.
void ShipEngine::lines_read(const Lane& lane) {
  bells_.with([&](auto& bells) {
    for (const auto& [path, cursor] : lane.cursor()) {
      const auto found = bells.find(path);
      if (found == bells.end()) continue;
      found->second->bytes = 0;
      found->second->rung = false;
    }
  });
}

void ShipEngine::run_known(RunId run, RunInfo info) {
  loop_->post([this, run, info] {
    if (runs_.size() >= kMostRuns) runs_.clear();
    runs_[run.value] = info;
  });
}

RunInfo ShipEngine::run_of(StreamId stream) const {
  const auto found = runs_.find(pmx::run_of(stream).value);
  return found == runs_.end() ? RunInfo() : found->second;
}

void ShipEngine::flushed(const std::string& path, std::uint64_t below_segment) {
  loop_->post([this, path, below_segment] {
    for (const auto& [id, runner] : runners_) runner->expect_flush(path, below_segment);
  });
}

Fs& ShipEngine::files_of(const std::optional<FileOwner>& owner) {
  if (!owner) return state_;
  std::unique_ptr<Fs>& files = files_[{owner->uid, owner->gid}];
  if (!files) files = std::make_unique<RealFs>(owner);
  return *files;
}

}  // namespace pmx::ship
