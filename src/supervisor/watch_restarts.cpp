#include "supervisor/watch_restarts.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/path.h"
#include "supervisor/ignore_rules.h"
#include "supervisor/tree_watch.h"

namespace pmx::supervisor {
namespace {

using std::chrono::nanoseconds;
constexpr std::size_t kLongestShownBytes = 1'000;

// File names are the user's, or anybody's: a line of pmx.log stays one.
std::string one_line(std::string text) {
  if (text.size() > kLongestShownBytes) text.resize(kLongestShownBytes);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return text;
}

bool is_wanted(const Worker& worker) {
  const WorkerRecord& record = worker.record();
  return record.spec.watch.on && record.should_run && !worker.removing();
}

// One that is being stopped reads its files anew when it starts again, where it is to; one that is
// stopped though it is wanted is of a daemon that ends.
bool is_restartable(const Worker& worker) {
  const WorkerState state = worker.record().state;
  return is_wanted(worker) && state != WorkerState::kStopping && state != WorkerState::kStopped;
}

// Of a list that PM2 or a command has made they may be relative.
std::vector<std::string> roots_of(const AppSpec& spec) {
  std::vector<std::string> roots;
  for (const std::string& path : spec.watch.paths) roots.push_back(absolute_path(spec.cwd, path));
  if (roots.empty()) roots.push_back(spec.cwd);
  return roots;
}

}  // namespace

struct WatchRestarts::App {
  App(AppKey its_key, std::uint64_t app_number, Timers& app_timers)
      : key(std::move(its_key)), number(app_number), timers(app_timers) {}
  ~App() { timers.cancel(timer); }
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  const AppKey key;
  const std::uint64_t number;  // One that is watched again is another.
  Timers& timers;
  std::string cwd;
  std::vector<std::string> roots, ignore;
  nanoseconds quiet{0};
  std::unique_ptr<TreeWatch> tree;

  std::set<std::string> paths;  // What has changed since the last restart began.
  std::string first_path, last_path;
  TimePoint first_at{}, last_at{};
  bool is_soon = false;    // The first of them came within kSoon after a start.
  bool is_paused = false;  // `timer` is the end of a pause.
  Timers::Id timer = 0;
  std::size_t restarting = 0;  // Workers.
  std::deque<TimePoint> soon_restarts;
  nanoseconds pause{0};
};

WatchRestarts::WatchRestarts(Parts parts) : parts_(std::move(parts)) {}
WatchRestarts::~WatchRestarts() = default;

// ---- What is watched.

void WatchRestarts::update() {
  std::map<AppKey, const Worker*> wanted;
  for (const Worker* const worker : parts_.workers())
    if (is_wanted(*worker)) wanted.try_emplace(app_key(worker->record().spec), worker);
  std::erase_if(apps_, [&](const auto& entry) { return !wanted.contains(entry.first); });
  if (wanted.empty()) return;
  note_own_files();
  for (const auto& [key, worker] : wanted) {
    auto& app = apps_[key];
    if (!app) app = std::make_unique<App>(key, next_number_++, parts_.timers);
    watch(*app, worker->record().spec);
  }
}

void WatchRestarts::watch(App& app, const AppSpec& spec) {
  app.quiet = std::max<nanoseconds>(spec.watch.delay, kLeastQuiet);
  std::vector<std::string> roots = roots_of(spec);
  const bool is_same =
      app.tree && app.cwd == spec.cwd && app.roots == roots && app.ignore == spec.watch.ignore;
  if (is_same) return;
  app.tree.reset();
  app.cwd = spec.cwd;
  app.roots = std::move(roots);
  app.ignore = spec.watch.ignore;
  IgnoreRules rules(app.ignore, app.cwd);
  rules.add_path(parts_.home);
  // Shared, because a std::function has to be copyable.
  const auto shared_rules = std::make_shared<const IgnoreRules>(std::move(rules));
  app.tree = std::make_unique<TreeWatch>(
      app.roots,
      TreeWatch::Parts{parts_.watches, parts_.timers,
                       [shared_rules](const std::string& path, std::string_view relative) {
                         return shared_rules->matches(path, relative);
                       },
                       [this, &app](const std::string& path) { changed(app, path); },
                       [this, &app](const std::string& line) {
                         parts_.notice(one_line("App [" + app.key.first + "] watch: " + line));
                       }});
}

void WatchRestarts::note_own_files() {
  own_files_.clear();
  own_directories_.clear();
  for (const Worker* const worker : parts_.workers()) {
    const WorkerRecord& record = worker->record();
    const std::string pid_file = parts_.pid_file(record);
    for (const std::string& path :
         {record.logs.out, record.logs.err, record.logs.log, pid_file, pid_file + ".tmp"}) {
      if (path.empty() || !own_files_.insert(path).second) continue;
      std::string_view directory = path;
      while ((directory = directory.substr(0, directory.rfind('/'))).size() > 1)
        if (!own_directories_.emplace(directory).second) break;
    }
  }
}

// A log, a sealed segment of one ("web-out__<time>_<number>.log.zst"), a pid file, or a directory
// that was made for these.
bool WatchRestarts::is_own_file(const std::string& path) const {
  if (own_files_.contains(path) || own_directories_.contains(path)) return true;
  const std::size_t mark = path.rfind("__");
  if (mark == std::string::npos || mark < path.rfind('/')) return false;
  const std::string stem = path.substr(0, mark);
  return own_files_.contains(stem + ".log") || own_files_.contains(stem);
}

// ---- What changes.

void WatchRestarts::changed(App& app, const std::string& path) {
  const bool is_root = std::find(app.roots.begin(), app.roots.end(), path) != app.roots.end();
  if (!is_root && is_own_file(path)) return;
  app.last_at = parts_.clock.steady_now();
  app.last_path = path;
  if (app.paths.empty()) {
    app.first_at = app.last_at;
    app.first_path = path;
    app.is_soon = app.restarting > 0 || started_just_now(app);
  }
  if (app.paths.size() < kMostPaths) app.paths.insert(path);
  // It may have been waited for.
  if (is_root && !app.is_paused) parts_.timers.cancel(std::exchange(app.timer, 0));
  set_timer(app);
}

bool WatchRestarts::started_just_now(const App& app) const {
  const std::int64_t since_ns = parts_.clock.system_ns() - nanoseconds(kSoon).count();
  const auto workers = workers_of(app);
  return std::any_of(workers.begin(), workers.end(), [since_ns](const Worker* worker) {
    const WorkerRecord& record = worker->record();
    return record.state == WorkerState::kLaunching || record.started_ns >= since_ns;
  });
}

std::vector<const Worker*> WatchRestarts::workers_of(const App& app) const {
  std::vector<const Worker*> all;
  for (const Worker* const worker : parts_.workers()) {
    if (app_key(worker->record().spec) == app.key && is_restartable(*worker)) all.push_back(worker);
  }
  return all;
}

WatchRestarts::TimePoint WatchRestarts::due_at(const App& app) const {
  const TimePoint latest = app.first_at + std::max<nanoseconds>(kMostWait, app.quiet);
  // While a deploy has a root away, a start would find nothing.
  if (!app.tree->has_its_roots()) return latest;
  return std::min(app.last_at + app.quiet, latest);
}

// One timer for many changes: where there were more when it is due, it is set again.
void WatchRestarts::set_timer(App& app) {
  if (app.timer != 0 || app.restarting > 0 || app.paths.empty()) return;
  const nanoseconds left = due_at(app) - parts_.clock.steady_now();
  app.timer = parts_.timers.call_after(std::max(left, nanoseconds(0)), [this, &app] {
    app.timer = 0;
    if (parts_.clock.steady_now() >= due_at(app)) return due(app);
    set_timer(app);
  });
}

void WatchRestarts::due(App& app) {
  if (!must_wait(app)) return restart(app);
  app.is_paused = true;
  app.timer = parts_.timers.call_after(app.pause, [this, &app] {
    app.timer = 0;
    restart(app);
  });
}

bool WatchRestarts::must_wait(App& app) {
  const TimePoint now = parts_.clock.steady_now();
  if (!app.is_soon) {
    app.soon_restarts.clear();
    app.pause = {};
    return false;
  }
  while (!app.soon_restarts.empty() && app.soon_restarts.front() < now - kStormWindow)
    app.soon_restarts.pop_front();
  if (app.pause == nanoseconds(0) && app.soon_restarts.size() < kStormRestarts) {
    app.soon_restarts.push_back(now);
    return false;
  }
  if (app.pause == nanoseconds(0))
    parts_.notice(one_line(
        "App [" + app.key.first + "] has been restarted " + std::to_string(kStormRestarts) +
        " times by changes within 2 s after its starts, the last one of " + app.last_path +
        ": if the app writes that itself, name it in ignore_watch. Until then such restarts wait, "
        "up to 60 s"));
  app.pause =
      app.pause == nanoseconds(0) ? kFirstPause : std::min<nanoseconds>(2 * app.pause, kMostPause);
  return true;
}

void WatchRestarts::restart(App& app) {
  app.is_paused = false;
  const std::set<std::string> paths = std::exchange(app.paths, {});
  const std::vector<const Worker*> workers = workers_of(app);
  if (workers.empty()) return;
  const std::string_view shown = relative_to(app.cwd, app.first_path);
  const std::string more = paths.size() == 1
                               ? ""
                               : " (and " + std::to_string(paths.size() - 1) +
                                     (paths.size() == kMostPaths ? " or more)" : " more)");
  parts_.notice(one_line("Change detected on path " + std::string(shown.empty() ? "." : shown) +
                         more + " for app " + app.key.first + " - restarting"));
  app.restarting = workers.size();
  // The answers may come at once, and any of them may come when the app is another.
  std::vector<WorkerId> ids;
  for (const Worker* const worker : workers) ids.push_back(worker->record().id);
  for (const WorkerId id : ids)
    parts_.restart(id, [this, key = app.key, number = app.number](const Result<void>&) {
      restarted(key, number);
    });
}

void WatchRestarts::restarted(const AppKey& key, std::uint64_t number) {
  const auto found = apps_.find(key);
  if (found == apps_.end() || found->second->number != number) return;
  App& app = *found->second;
  if (--app.restarting > 0) return;
  app.first_at = parts_.clock.steady_now();
  set_timer(app);
}

}  // namespace pmx::supervisor
