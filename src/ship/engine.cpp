#include "ship/engine.h"

#include <algorithm>

#include "rotate/retention.h"
#include "ship/sink_names.h"
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
  if (!lanes) parts_.notice("ship: " + lanes.error().message() + ": no segment is removed");
  Floors floors;
  bool known = static_cast<bool>(lanes);
  for (const KnownLane& lane : lanes ? *lanes : std::vector<KnownLane>()) {
    if (lane.file) {
      add_floors(lane.base, *lane.file, floors);
      continue;
    }
    parts_.notice("ship: " + lane.file.error().message() + ": the lines of this lane wait");
    known = add_unreadable(lane.base, floors) && known;
  }
  published_.with([&](Published& published) {
    published.floors = std::move(floors);
    published.unknown = !known;
  });
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

// Its cursor tells as much; without one, nobody knows which logs these were. False: there is one,
// and it cannot be read just now.
bool ShipEngine::add_unreadable(const std::string& base, Floors& floors) const {
  const auto cursor = CursorFile(state_, base).load();
  if (!cursor) return cursor.error().code() == Errc::kCorrupt;
  for (const auto& [path, log] : cursor->value_or(LaneCursor()))
    if (path != kGoneLogs) lower_floor(floors, path, log.at.segment);
  return true;
}

ShipEngine::~ShipEngine() {
  loop_->post([this] {
    runners_.clear();  // Cursors to the disk, requests cancelled.
    loop_->stop();
  });
  thread_.join();
}

// ---- On ship.

void ShipEngine::apply(const Picture& picture) {
  held_ = picture.unreadable;
  std::map<std::string, std::string> names = given_names();
  for (const auto& [id, wanted] : picture.sinks) names[id] = wanted.sink.spec.name;
  const auto shared = [&](const std::string& name) {
    return std::count_if(names.begin(), names.end(),
                         [&](const auto& entry) { return entry.second == name; }) > 1;
  };
  for (const auto& [id, wanted] : picture.sinks) {
    const bool known = !wanted.sink.spec.urls.empty();  // Else one that is gone, without its file.
    const auto runner = runners_.find(id);
    const bool changed =
        known && (runner == runners_.end() || runner->second->spec() != wanted.sink.spec ||
                  runner->second->secret() != wanted.sink.secret);
    if (changed) make_runner(id, wanted.sink, shared(wanted.sink.spec.name));
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
  name_sinks();
  publish_floors();
  look_again_later();
}

// As their specs have them: two may be the same.
std::map<std::string, std::string> ShipEngine::given_names() const {
  std::map<std::string, std::string> names;
  for (const auto& [id, runner] : runners_) names[id] = runner->spec().name;
  for (const auto& [id, broken] : broken_) names[id] = broken.name;
  return names;
}

void ShipEngine::name_sinks() {
  names_ = distinct_names(given_names());
  for (const auto& [id, runner] : runners_) runner->set_name(names_[id]);
}

void ShipEngine::make_runner(const std::string& id, const SinkContext& sink, bool name_is_shared) {
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
                    parts_.log_ended,
                    [this] { look_again_later(); },
                    [this](const auto& owner) -> Fs& { return files_of(owner); },
                    options_.home,
                    name_is_shared};
  auto made = transport ? SinkRunner::create(sink, std::move(parts), std::move(*transport))
                        : Result<std::unique_ptr<SinkRunner>>(transport.error());
  if (made) {
    const auto paused = state_.info(pause_path(id));
    if (paused || paused.error().code() != Errc::kNotFound) (*made)->pause();
    runners_[id] = std::move(*made);
    return;
  }
  broken_[id] = {sink.spec.name, made.error().message()};
  parts_.notice("ship " + sink.spec.name + ": " + made.error().message());
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
    if (published.unknown) return std::uint64_t{0};
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
