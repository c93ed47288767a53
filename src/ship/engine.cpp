#include "ship/engine.h"

#include <algorithm>

#include "rotate/log_reader.h"
#include "rotate/retention.h"
#include "ship/flight.h"
#include "ship/make_sink.h"
#include "ship/sink_runner.h"

namespace pmx::ship {
namespace {

// So much is worth a request before its time.
constexpr std::uint64_t kManyBytes = 1U << 20U;
constexpr auto kLookAgain = std::chrono::seconds(30);
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
  Floors floors;
  for (const KnownLane& lane : *lanes) {
    if (lane.file) {
      add_floors(lane.base, *lane.file, floors);
      continue;
    }
    parts_.notice("ship: " + lane.file.error().message() + ": the lines of this lane wait");
    add_unreadable(lane.base, floors);
  }
  published_.with([&](Published& published) { published.floors = std::move(floors); });
}

void ShipEngine::add_floors(const std::string& base, const LaneFile& file, Floors& floors) const {
  const auto cursor = CursorFile(state_, base).load();
  for (const LaneLog& log : file.logs) {
    std::uint64_t floor = log.begin.at.segment;
    if (cursor && *cursor)
      if (const auto at = (*cursor)->find(log.path); at != (*cursor)->end())
        floor = at->second.at.segment;
    lower_floor(floors, log.path, floor);
  }
}

// Its cursor tells as much; without one, nobody knows which logs these were.
void ShipEngine::add_unreadable(const std::string& base, Floors& floors) const {
  const auto cursor = CursorFile(state_, base).load();
  if (!cursor || !*cursor) return;
  for (const auto& [path, log] : **cursor) lower_floor(floors, path, log.at.segment);
}

ShipEngine::~ShipEngine() {
  loop_->post([this] {
    runners_.clear();  // Cursors to the disk, requests cancelled.
    loop_->stop();
  });
  thread_.join();
}

// ---- What is to be shipped. On control.

Result<void> ShipEngine::configure(const std::vector<Shipment>& shipments,
                                   const std::set<std::string>& listed) {
  Picture picture;
  picture.number = ++pictures_;
  const std::vector<KnownLane> known = PMX_TRY(known_lanes(state_, options_.home + "/state"));
  for (const Shipment& shipment : shipments) PMX_TRY(write_lane(shipment, picture));
  PMX_TRY(write_leftovers(known, listed, picture));
  bells_.with([&](auto& bells) {
    for (const auto& [id, wanted] : picture.sinks)
      for (const auto& [base, lane] : wanted.lanes)
        for (const LaneLog& log : lane.logs)
          if (auto& bell = bells[log.path]; !bell) bell = std::make_shared<Bell>();
  });
  Floors pending;
  for (const auto& [id, wanted] : picture.sinks)
    for (const auto& [base, lane] : wanted.lanes) add_floors(base, lane, pending);
  published_.with([&](Published& published) {
    published.pending = std::move(pending);
    published.picture = picture.number;
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
  for (LaneLog& log : lane.logs) log.end.reset();
  for (const Shipment::Log& log : shipment.logs) {
    const bool there = std::any_of(lane.logs.begin(), lane.logs.end(),
                                   [&](const LaneLog& one) { return one.path == log.path; });
    if (there) continue;
    const auto at = known.find(log.path);
    lane.logs.push_back({log.path, log.owner, at != known.end() ? at->second : end_of(log)});
  }
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

Result<void> ShipEngine::write_leftovers(const std::vector<KnownLane>& known,
                                         const std::set<std::string>& listed, Picture& picture) {
  for (const KnownLane& lane : known) {
    const auto wanted = picture.sinks.find(lane.sink_id);
    const bool is_wanted = wanted != picture.sinks.end() &&
                           std::any_of(wanted->second.lanes.begin(), wanted->second.lanes.end(),
                                       [&](const auto& one) { return one.first == lane.base; });
    if (is_wanted) continue;
    if (!lane.file) {
      add_unreadable(lane.base, picture.unreadable);
      continue;
    }
    LaneFile file = *lane.file;
    if (file.wanted) {
      end_lane(file, listed);
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

void ShipEngine::end_lane(LaneFile& file, const std::set<std::string>& listed) const {
  file.wanted = false;
  if (!listed.contains(file.origin.app)) return;
  for (LaneLog& log : file.logs) log.end = end_of({log.path, log.owner}).at;
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

// No app ships there, and nothing waits for it.
void ShipEngine::forget_sink(const std::string& id) {
  (void)state_.remove(pause_path(id));
  (void)state_.remove(options_.home + "/state/ship/" + id + "/sink.json");
  loop_->post([this, id] {
    const auto runner = runners_.find(id);
    if (runner == runners_.end()) return;
    if (!runner->second->has_dead_letters()) return (void)runners_.erase(runner);
    runner->second->resume();
  });
}

Result<SinkSpec> ShipEngine::sink_of(const std::string& directory) const {
  const std::string path = directory + "/sink.json";
  const std::string text = PMX_TRY(state_.read_file(path));
  const Json json = PMX_TRY_WITHIN(path, Json::parse(text));
  return parts_.sink_from_json(json);
}

// ---- On ship.

void ShipEngine::apply(const Picture& picture) {
  held_ = picture.unreadable;
  for (const auto& [id, wanted] : picture.sinks) {
    const bool known = !wanted.sink.spec.urls.empty();  // Else one that is gone, without its file.
    const auto runner = runners_.find(id);
    const bool changed =
        known && (runner == runners_.end() || runner->second->spec() != wanted.sink.spec ||
                  runner->second->secret() != wanted.sink.secret);
    if (changed) make_runner(id, wanted.sink);
    const auto made = runners_.find(id);
    for (const auto& [base, lane] : wanted.lanes) {
      if (made != runners_.end())
        made->second->set_lane(base, lane);
      else
        add_floors(base, lane, held_);
    }
  }
  published_.with([&](Published& published) {
    if (published.picture == picture.number) published.pending.clear();
  });
  publish_floors();
  look_again_later();
}

void ShipEngine::make_runner(const std::string& id, const SinkContext& sink) {
  runners_.erase(id);  // Its cursors reach the disk, its requests are cancelled; flights stay.
  broken_.erase(id);
  auto transport = parts_.transport(*loop_, state_, sink.spec);
  RunnerParts parts{state_,
                    parts_.clock,
                    *timers_,
                    parts_.severity_of,
                    [this](StreamId stream) { return run_of(stream); },
                    parts_.notice,
                    [this](Lane& lane) { lines_read(lane); },
                    [this] { publish_floors(); },
                    parts_.lane_ended,
                    [this] { look_again_later(); },
                    [this](const auto& owner) -> Fs& { return files_of(owner); },
                    options_.home};
  auto made = transport ? SinkRunner::create(sink, std::move(parts), std::move(*transport))
                        : Result<std::unique_ptr<SinkRunner>>(transport.error());
  if (made) {
    const auto paused = state_.info(pause_path(id));
    if (paused || paused.error().code() != Errc::kNotFound) (*made)->pause();
    runners_[id] = std::move(*made);
    return;
  }
  broken_[id] = sink.spec.name + ": " + made.error().message();
  parts_.notice("ship " + broken_[id]);
}

// A certificate may appear, a secret's file may change: nobody tells us.
void ShipEngine::look_again_later() {
  const bool blocked = std::any_of(runners_.begin(), runners_.end(),
                                   [](const auto& entry) { return entry.second->blocked(); });
  if ((broken_.empty() && !blocked) || look_again_timer_ != 0) return;
  look_again_timer_ = timers_->call_after(kLookAgain, [this] {
    look_again_timer_ = 0;
    parts_.look_again();
    look_again_later();
  });
}

void ShipEngine::publish_floors() {
  Floors floors = held_;
  for (const auto& [id, runner] : runners_) runner->add_floors(floors);
  std::vector<std::string> moved;
  published_.with([&](Published& published) {
    for (const auto& [path, floor] : published.floors) {
      const auto now = floors.find(path);
      if (now == floors.end() || now->second > floor) moved.push_back(path);
    }
    published.floors = std::move(floors);
  });
  for (const std::string& path : moved) parts_.floor_moved(path);
}

std::uint64_t ShipEngine::floor_segment(const std::string& path) const {
  return published_.with([&](const Published& published) {
    std::uint64_t floor = rotate::kNoFloor;
    for (const Floors* floors : {&published.floors, &published.pending})
      if (const auto found = floors->find(path); found != floors->end())
        floor = std::min(floor, found->second);
    return floor;
  });
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
    for (const auto& [id, runner] : runners_) runner->lines_came(path, many);
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
