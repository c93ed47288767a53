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
constexpr auto kDrainLook = std::chrono::milliseconds(20);  // Only while somebody waits to end.

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

// ---- What users ask.

void ShipEngine::status(std::map<std::string, std::uint64_t> numbers, Answer done) {
  loop_->post([this, numbers = std::move(numbers), done = std::move(done)] {
    Json sinks = Json::array();
    const auto next = [&](const std::string& path) -> std::optional<std::uint64_t> {
      const auto found = numbers.find(path);
      return found == numbers.end() ? std::nullopt : std::optional(found->second);
    };
    for (const auto& [id, runner] : runners_) sinks.push_back(runner->status(next));
    for (const auto& [id, why] : broken_)
      sinks.push_back(Json::object({{"id", id},
                                    {"name", id},
                                    {"state", "blocked"},
                                    {"state_text", "blocked: " + why},
                                    {"last_error", why}}));
    done(Json::object({{"sinks", sinks}}));
  });
}

Result<SinkRunner*> ShipEngine::find(const std::string& name) {
  for (const auto& [id, runner] : runners_)
    if (id == name || runner->spec().name == name) return runner.get();
  std::string known;
  for (const auto& [id, runner] : runners_)
    known += (known.empty() ? "" : ", ") + runner->spec().name;
  return Error(Errc::kNotFound, "no sink \"" + name + "\"" +
                                    (known.empty() ? ": none is in use" : "; there are: " + known));
}

void ShipEngine::pause(std::string sink, bool on, Answer done) {
  loop_->post([this, sink = std::move(sink), on, done = std::move(done)] {
    const auto runner = find(sink);
    if (!runner) return done(runner.error());
    if (on)
      (*runner)->pause();
    else
      (*runner)->resume();
    done(Json::object({{"sink", (*runner)->spec().name}, {"paused", on}}));
  });
}

void ShipEngine::retry(std::string sink, Answer done) {
  loop_->post([this, sink = std::move(sink), done = std::move(done)] {
    const auto runner = find(sink);
    if (!runner) return done(runner.error());
    (*runner)->retry([done](const Result<std::uint64_t>& taken) {
      if (!taken) return done(taken.error());
      done(Json::object({{"lines", *taken}}));
    });
  });
}

void ShipEngine::drain(std::chrono::milliseconds deadline, std::function<void()> done) {
  loop_->post([this, at = parts_.clock.steady_now() + deadline, done = std::move(done)] {
    for (const auto& [id, runner] : runners_) runner->hurry();
    wait_until_drained(at, done);
  });
}

void ShipEngine::wait_until_drained(std::chrono::steady_clock::time_point deadline,
                                    std::function<void()> done) {
  const bool drained = std::all_of(runners_.begin(), runners_.end(),
                                   [](const auto& entry) { return entry.second->idle(); });
  if (drained || parts_.clock.steady_now() >= deadline) return done();
  (void)timers_->call_after(
      kDrainLook, [this, deadline, done = std::move(done)] { wait_until_drained(deadline, done); });
}

struct ShipEngine::TestJob {
  std::unique_ptr<Sink> sink;
  std::unique_ptr<HttpTransport> transport;
  Origin origin;
  std::string text;
  std::vector<Item> items;
  std::string bytes;
  std::chrono::steady_clock::time_point sent_at;
};

void ShipEngine::test(SinkContext sink, std::string host, Answer done) {
  loop_->post([this, context = std::move(sink), host = std::move(host), done = std::move(done)] {
    auto job = std::make_shared<TestJob>();
    auto transport = parts_.transport(*loop_, state_, context.spec);
    if (!transport) return done(transport.error());
    job->transport = std::move(*transport);
    job->sink = make_sink(context);
    job->origin.app = "pmx-test";
    job->origin.host = host;
    job->text = "pmx ship test: a line to see whether this store takes it";
    Event event;
    const std::size_t size = job->text.size();
    job->text.append(rotate::kReadablePastEnd, '\0');
    event.text = std::string_view(job->text).substr(0, size);
    event.time_ns = parts_.clock.system_ns();
    event.origin = &job->origin;
    const Sink::Group group = job->sink->group_of(event);
    job->sink->encode(event, job->bytes);
    job->items.push_back({static_cast<std::uint32_t>(job->bytes.size()), 1, 0, event.time_ns});
    job->sent_at = parts_.clock.steady_now();
    job->transport->send(
        job->sink->request(group, job->sink->frame(group, job->bytes).body, 0),
        [this, job, done](const HttpAnswer& answer) {
          const Verdict verdict = job->sink->judge(answer, job->items, job->bytes);
          const bool refused = verdict.kind == Verdict::Kind::kItems && !verdict.items.empty() &&
                               (verdict.items[0].kind == ItemVerdict::Kind::kRefused ||
                                verdict.items[0].kind == ItemVerdict::Kind::kRetry);
          const bool taken = !refused && (verdict.kind == Verdict::Kind::kDelivered ||
                                          verdict.kind == Verdict::Kind::kItems);
          const auto took = parts_.clock.steady_now() - job->sent_at;
          const auto took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
          const std::string words = refused ? verdict.items[0].reason
                                    : verdict.why.empty()
                                        ? std::to_string(answer.status) + " " + answer.error
                                        : verdict.why;
          done(Json::object({{"delivered", taken},
                             {"status", answer.status},
                             {"answer", words},
                             {"took_ms", took_ms}}));
          loop_->post([job] {});  // Not from within the transport's own call.
        });
  });
}

}  // namespace pmx::ship
