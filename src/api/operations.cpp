#include "api/operations.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <set>

#include "api/app_warnings.h"
#include "api/internal/gather.h"
#include "api/internal/renames.h"
#include "base/units.h"
#include "config/resolve_app.h"

namespace pmx::api {
namespace {

using supervisor::Pipeline;
using supervisor::Worker;
using supervisor::WorkerRecord;
using supervisor::WorkerState;

constexpr std::chrono::milliseconds kRecordGrace{1000};
constexpr std::int64_t kMostInstances = 1000;

enum class Action : std::uint8_t {
  kStart,
  kStop,
  kRestart,
  kReload,
  kDelete,
  kReset,
  kFlush,
  kReloadLogs,
  kRotate,
};
struct ActionName {
  std::string_view name;
  Action action;
};
constexpr std::array kActions{
    ActionName{"start", Action::kStart},     ActionName{"stop", Action::kStop},
    ActionName{"restart", Action::kRestart}, ActionName{"reload", Action::kReload},
    ActionName{"delete", Action::kDelete},   ActionName{"reset", Action::kReset},
    ActionName{"flush", Action::kFlush},     ActionName{"reload_logs", Action::kReloadLogs},
    ActionName{"rotate", Action::kRotate},
};

bool is_idle(const WorkerRecord& record) {
  return record.state == WorkerState::kStopped || record.state == WorkerState::kErrored ||
         record.state == WorkerState::kStopping;
}

void keep_shell_env(AppSpec& spec, const AppSpec& before) {
  for (const auto& [name, value] : before.env)
    if (!before.own_env.contains(name)) spec.env.try_emplace(name, value);
}

void merge_env(AppSpec& spec, const Json& update_env) {
  for (const auto& [name, value] : update_env.members())
    spec.env[name] = value.is_string() ? value.as_string() : value.dump();
}

}  // namespace

Outcome Operations::outcome_of(const std::vector<WorkerId>& ids) const {
  Outcome outcome;
  outcome.ids = ids;
  for (const WorkerId id : ids) {
    const Worker* const worker = workers_.find(id);
    outcome.names.push_back(worker ? worker->record().spec.name : "");
  }
  return outcome;
}

Result<std::vector<Operations::Launch>> Operations::plan(const Json& apps, bool force) const {
  if (!apps.is_array() || apps.items().empty()) return invalid("no app to start");
  std::vector<Launch> launches;
  for (const Json& app : apps.items()) {
    Launch launch;
    launch.spec = PMX_TRY(codec_.from_json(app));
    if (launch.spec.script.empty()) return invalid("app " + launch.spec.name + ": no script");
    if (launch.spec.name.empty()) return invalid("an app without a name");
    bool running = false;
    for (const Worker* worker : workers_.workers()) {
      const WorkerRecord& record = worker->record();
      if (record.spec.name != launch.spec.name || record.spec.script != launch.spec.script)
        continue;
      running = running || !is_idle(record);
      launch.existing.push_back(record.id);
    }
    if (running && !force)
      return Error(Errc::kExists, "Script already launched, add -f option to force re-execution");
    if (force) launch.existing.clear();
    launches.push_back(std::move(launch));
  }
  return launches;
}

void Operations::start_apps(const Json& apps, bool force, Done done) {
  auto planned = plan(apps, force);
  if (!planned) return done(std::move(planned).error());
  Outcome outcome;
  std::vector<std::pair<WorkerId, AppSpec>> starts;
  const bool is_limited = std::any_of(planned->begin(), planned->end(), [](const Launch& launch) {
    return launch.spec.max_memory_restart > 0;
  });
  const MemoryBound memory = is_limited ? memory_bound() : MemoryBound();
  for (Launch& launch : *planned) {
    AppSpec& spec = launch.spec;
    for (std::string& line : start_warnings(spec, memory, workers_.port_sharing(spec)))
      outcome.messages.push_back(std::move(line));
    std::vector<WorkerId> ids = launch.existing;
    for (std::int64_t i = 0; ids.empty() || (launch.existing.empty() && i < spec.instances); ++i) {
      auto added = workers_.add(spec);
      if (!added) return done(std::move(added).error());
      ids.push_back(*added);
    }
    for (const WorkerId id : ids) {
      outcome.ids.push_back(id);
      outcome.names.push_back(spec.name);
      if (spec.autostart) starts.emplace_back(id, spec);
    }
  }
  for (const auto& [id, spec] : starts) workers_.want(id);
  workers_.save_now();  // The intent first: the daemon that follows one that dies now goes on.
  const auto gather =
      std::make_shared<Gather>(workers_, std::move(outcome), once_opened(std::move(done)));
  for (auto& [id, spec] : starts) workers_.start(id, std::move(spec), gather->expect());
  gather->close();
}

Result<std::optional<AppSpec>> Operations::changed_spec(WorkerId id,
                                                        const AppChanges& changes) const {
  AppSpec spec = workers_.find(id)->record().spec;
  // A `current` link may point to another release by now.
  const bool has_package = spec.script.starts_with('/');
  const std::string version = has_package ? config::package_version(spec.script) : spec.version;
  const bool none = changes.changes.members().empty() && changes.update_env.members().empty();
  if (none && version == spec.version && spec.pinned.empty()) return std::optional<AppSpec>();
  spec.version = version;
  spec.pinned.clear();  // Links are followed again to where they lead.
  if (!changes.changes.members().empty()) {
    Json json = codec_.to_json(spec);
    for (const auto& [key, value] : changes.changes.members()) {
      if (value.is_null()) {
        json.erase(key);
      } else {
        json.set(key, value);
      }
    }
    if (!changes.changes["ship_from_home"].is_bool())
      if (const Json* const ship = changes.changes.find("ship"))
        json.set("ship_from_home", ship->is_null());
    const AppSpec before = std::move(spec);
    spec = PMX_TRY(codec_.from_json(json));
    if (changes.keep_shell_env) keep_shell_env(spec, before);
  }
  merge_env(spec, changes.update_env);
  return std::optional<AppSpec>(std::move(spec));
}

void Operations::restart(const std::vector<WorkerId>& ids, const AppChanges& changes, Done done) {
  std::vector<std::optional<AppSpec>> specs;
  for (const WorkerId id : ids) {
    auto spec = changed_spec(id, changes);
    if (!spec) return done(std::move(spec).error());  // Before anything has been stopped.
    const AppSpec& next = *spec ? **spec : workers_.find(id)->record().spec;
    const auto startable = workers_.check_start(id, next);
    if (!startable) return done(startable.error());
    specs.push_back(std::move(*spec));
  }
  const auto renames = renames_of(workers_, ids, specs);
  if (!renames) return done(renames.error());
  for (const auto& [from, to] : *renames) workers_.rename_app(from, to);
  for (const WorkerId id : ids) workers_.want(id);
  workers_.save_now();
  Outcome outcome = outcome_of(ids);
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (specs[i]) outcome.names[i] = specs[i]->name;  // `--name` may have changed it.
  const auto gather =
      std::make_shared<Gather>(workers_, std::move(outcome), once_opened(std::move(done)));
  for (std::size_t i = 0; i < ids.size(); ++i)
    workers_.restart(ids[i], std::move(specs[i]), gather->expect());
  gather->close();
}

void Operations::rotate(const std::vector<WorkerId>& ids, Pipeline::Rotate how, Done done) {
  std::set<std::string> paths;
  Outcome outcome = outcome_of(ids);
  for (const WorkerId id : ids) {
    const supervisor::LogFiles& files = workers_.find(id)->record().logs;
    for (const std::string* path : {&files.out, &files.err, &files.log})
      if (!path->empty() && !path->starts_with("/dev/") && paths.insert(*path).second)
        outcome.messages.push_back(*path);
  }
  // The answer comes on the log thread.
  pipeline_.rotate({paths.begin(), paths.end()}, how,
                   [post = post_, outcome = std::move(outcome), done](Result<void> result) {
                     post([result = std::move(result), outcome, done]() mutable {
                       if (!result) return done(std::move(result).error());
                       done(std::move(outcome));
                     });
                   });
}

// Who has stopped an app reads its files next: what it printed last is in them by then. A
// grandchild that holds the pipe, or a full disk, delays the answer by kRecordGrace at most.
Operations::Done Operations::once_recorded(const std::vector<WorkerId>& ids, Done done) {
  std::vector<RunId> runs;
  for (const WorkerId id : ids)
    for (const RunId run : workers_.live_runs_of(id)) runs.push_back(run);
  return [this, runs = std::move(runs), done = std::move(done)](Result<Outcome> outcome) mutable {
    if (!outcome || runs.empty()) return done(std::move(outcome));
    struct Waiting {
      Result<Outcome> outcome;
      Done done;
      std::size_t open;
    };
    const auto waiting =
        std::make_shared<Waiting>(Waiting{std::move(outcome), std::move(done), runs.size()});
    for (const RunId run : runs)
      pipeline_.drained(run, kRecordGrace, [post = post_, waiting] {  // On the log thread.
        post([waiting] {
          if (--waiting->open == 0) waiting->done(std::move(waiting->outcome));
        });
      });
  };
}

// Who has started an app follows its files next: they are there by then.
Operations::Done Operations::once_opened(Done done) {
  return [this, done = std::move(done)](Result<Outcome> outcome) {
    const auto waiting = std::make_shared<Result<Outcome>>(std::move(outcome));
    pipeline_.opened([post = post_, waiting, done] {  // On the log thread.
      post([waiting, done] { done(std::move(*waiting)); });
    });
  };
}

void Operations::act(std::string_view action, std::string_view target, std::string_view cwd,
                     const AppChanges& changes, Done done) {
  const auto* const known = std::find_if(kActions.begin(), kActions.end(),
                                         [&](const auto& row) { return row.name == action; });
  if (known == kActions.end()) return done(invalid("unknown action " + std::string(action)));
  if (known->action == Action::kReloadLogs) {
    pipeline_.reopen();
    return done(Outcome());
  }
  auto resolved = supervisor::resolve_target(target, cwd, workers_.candidates());
  if (!resolved) return done(std::move(resolved).error());
  const std::vector<WorkerId> ids = std::move(*resolved);
  switch (known->action) {
    case Action::kStart:
    case Action::kRestart:
      return restart(ids, changes, std::move(done));
    case Action::kReload:
      return reload(ids, changes, std::move(done));
    case Action::kFlush:
      return rotate(ids, Pipeline::Rotate::kFlush, std::move(done));
    case Action::kRotate:
      return rotate(ids, Pipeline::Rotate::kSeal, std::move(done));
    case Action::kReset:
      for (const WorkerId id : ids) workers_.reset(id);
      workers_.save_now();
      return done(outcome_of(ids));
    default:
      break;
  }
  Outcome outcome = outcome_of(ids);
  if (known->action == Action::kStop) {
    std::vector<const WorkerRecord*> records;
    for (const WorkerId id : ids) records.push_back(&workers_.find(id)->record());
    outcome.messages = stop_warnings(records);
  }
  const auto gather =
      std::make_shared<Gather>(workers_, std::move(outcome), once_recorded(ids, std::move(done)));
  for (const WorkerId id : ids) {
    if (known->action == Action::kDelete) {
      workers_.remove_worker(id, gather->expect());
    } else {
      if (changes.changes["watch"] == Json(false)) workers_.unwatch(id);  // `stop --watch`
      workers_.stop(id, Worker::Wanted::kNoLonger, gather->expect());
    }
  }
  gather->close();
}

Result<ScaleTo> scale_from_text(std::string_view text) {
  ScaleTo wanted;
  wanted.more = text.starts_with('+');
  const auto number = parse_integer(wanted.more ? text.substr(1) : text);
  if (!number || *number < 0 || *number > kMostInstances)
    return invalid("\"" + std::string(text) + "\" is no number of instances: 0 to " +
                   std::to_string(kMostInstances) + ", or +1 for one more");
  wanted.number = *number;
  return wanted;
}

void Operations::scale(const std::string& name, ScaleTo wanted, Done done) {
  std::vector<const WorkerRecord*> there;
  for (const Worker* worker : workers_.workers())
    if (worker->record().spec.name == name && !worker->removing())
      there.push_back(&worker->record());
  if (there.empty()) return done(Error(Errc::kNotFound, "Application " + name + " not found"));
  const auto now = static_cast<std::int64_t>(there.size());
  const std::int64_t target = wanted.more ? now + wanted.number : wanted.number;
  if (target > kMostInstances)
    return done(invalid("at most " + std::to_string(kMostInstances) + " instances"));
  if (target == now) return done(Error(Errc::kExists, "Nothing to do"));
  std::vector<WorkerId> ids;
  if (target < now) {
    std::sort(there.begin(), there.end(),
              [](const auto* a, const auto* b) { return a->instance > b->instance; });
    for (std::int64_t i = target; i < now; ++i)
      ids.push_back(there[static_cast<std::size_t>(i - target)]->id);
    const auto gather =
        std::make_shared<Gather>(workers_, outcome_of(ids), once_recorded(ids, std::move(done)));
    for (const WorkerId id : ids) workers_.retire_worker(id, gather->expect());
    return gather->close();
  }
  const AppSpec spec = there.front()->spec;
  for (std::int64_t i = now; i < target; ++i) {
    auto added = workers_.add(spec);
    if (!added) {
      for (const WorkerId id : ids) workers_.remove_worker(id, [](const Result<void>&) {});
      return done(std::move(added).error());
    }
    ids.push_back(*added);
  }
  for (const WorkerId id : ids) {
    workers_.want(id);
  }
  workers_.save_now();
  const auto gather =
      std::make_shared<Gather>(workers_, outcome_of(ids), once_opened(std::move(done)));
  for (const WorkerId id : ids) workers_.start(id, std::nullopt, gather->expect());
  gather->close();
}

void Operations::restore(std::vector<config::DumpedApp> apps, Done done) {
  std::set<std::string> listed;
  for (const Worker* worker : workers_.workers()) listed.insert(worker->record().spec.name);
  Outcome outcome;
  std::vector<WorkerId> starts;
  for (config::DumpedApp& app : apps) {
    const std::string name = app.spec.name;
    if (listed.contains(name)) continue;
    // As every app that comes in: the home may have other stores for it by now.
    auto spec = codec_.from_json(codec_.to_json(app.spec));
    const auto added = spec ? workers_.add(std::move(*spec), {app.id, app.instance})
                            : Result<WorkerId>(std::move(spec).error());
    if (!added) {
      outcome.messages.push_back(name + ": " + added.error().message());
      continue;
    }
    outcome.ids.push_back(*added);
    outcome.names.push_back(name);
    if (!app.runs) continue;
    workers_.want(*added);
    starts.push_back(*added);
  }
  workers_.save_now();
  const auto gather =
      std::make_shared<Gather>(workers_, std::move(outcome), once_opened(std::move(done)));
  for (const WorkerId id : starts) workers_.start(id, std::nullopt, gather->expect());
  gather->close();
}

Result<Json> Operations::specs(std::string_view target, std::string_view cwd) const {
  Json list = Json::array();
  for (const WorkerId id :
       PMX_TRY(supervisor::resolve_target(target, cwd, workers_.candidates()))) {
    const AppSpec& spec = workers_.find(id)->record().spec;
    list.push_back(
        Json::object({{"id", id.value}, {"name", spec.name}, {"spec", codec_.to_json(spec)}}));
  }
  return list;
}

void Operations::delete_all(Done done) {
  std::vector<WorkerId> ids;
  for (const Worker* worker : workers_.workers()) ids.push_back(worker->record().id);
  const auto gather = std::make_shared<Gather>(workers_, outcome_of(ids), std::move(done));
  for (const WorkerId id : ids) workers_.remove_worker(id, gather->expect());
  gather->close();
}

void Operations::stop_for_shutdown(Done done) {
  std::vector<WorkerId> ids;
  for (const Worker* worker : workers_.workers()) ids.push_back(worker->record().id);
  const auto gather = std::make_shared<Gather>(workers_, outcome_of(ids), std::move(done));
  for (const WorkerId id : ids) workers_.stop(id, Worker::Wanted::kStill, gather->expect());
  gather->close();
}

}  // namespace pmx::api
