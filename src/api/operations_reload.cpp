// `reload`: cluster apps worker by worker, with one that serves at any time; others are restarted.
// With rollback the same, to the release that ran before.
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "api/internal/gather.h"
#include "api/internal/renames.h"
#include "api/operations.h"
#include "supervisor/release.h"

namespace pmx::api {
namespace {

using supervisor::AppKey;
using supervisor::Release;
using supervisor::Worker;
using supervisor::WorkerRecord;

// Of an app's workers the one that changed last tells: others may have been added since, or kept
// their release where a reload was given up.
const Release* release_before(const std::vector<const Worker*>& workers, const AppKey& app) {
  const Release* latest = nullptr;
  for (const Worker* worker : workers) {
    const WorkerRecord& record = worker->record();
    if (supervisor::app_key(record.spec) != app || !record.before) continue;
    if (latest == nullptr || record.before->at_ns > latest->at_ns) latest = &*record.before;
  }
  return latest;
}

bool runs(const WorkerRecord& record, const Release& release) {
  return record.links == release.links && supervisor::same_program(record.spec, release.app);
}

std::vector<std::string> words_of_pins(const AppSpec& app) {
  std::vector<std::string> lines;
  for (const auto& [path, led] : app.pinned)
    lines.push_back(app.name + ": " + path + " leads elsewhere now; " + led +
                    " is run in its place until the next start, restart or reload by hand");
  return lines;
}

}  // namespace

void Operations::reload_to(Specs specs, std::size_t parallel, Outcome outcome, Done done) {
  for (const auto& [id, spec] : specs) {
    const WorkerRecord& record = workers_.find(id)->record();
    const AppKey app = supervisor::app_key(record.spec);
    if (spec && supervisor::app_key(*spec) != app && workers_.shares_sockets(app))
      return done(Error(Errc::kExists, app.first +
                                           " keeps its name, which a reload cannot change: " +
                                           restart_line(app, supervisor::app_key(*spec))));
    if (workers_.shares_port(record.spec)) continue;  // A successor finds out, and harms nobody.
    const auto startable = workers_.check_start(id, spec ? *spec : record.spec);
    if (!startable) return done(startable.error());
  }
  const auto gather = std::make_shared<Gather>(workers_, std::move(outcome), std::move(done));
  std::map<AppKey, std::vector<std::pair<WorkerId, AppSpec>>> apps;
  Specs others;
  for (auto& [id, spec] : specs) {
    const WorkerRecord& record = workers_.find(id)->record();
    const bool serves = record.state == supervisor::WorkerState::kOnline;
    if (serves && workers_.shares_port(record.spec)) {
      apps[supervisor::app_key(record.spec)].emplace_back(id,
                                                          spec ? std::move(*spec) : record.spec);
    } else {
      workers_.want(id);
      others.emplace_back(id, std::move(spec));
    }
  }
  if (!others.empty()) workers_.save_now();
  for (auto& [app, workers] : apps) workers_.reload(std::move(workers), parallel, gather->expect());
  for (auto& [id, spec] : others) workers_.restart(id, std::move(spec), gather->expect());
  gather->close();
}

void Operations::roll_back(const std::vector<WorkerId>& ids, std::size_t parallel, Done done) {
  Specs specs;
  std::vector<WorkerId> back;
  std::set<std::string> words;
  for (const WorkerId id : ids) {
    const WorkerRecord& record = workers_.find(id)->record();
    const Release* const release =
        release_before(workers_.workers(), supervisor::app_key(record.spec));
    if (release == nullptr)
      return done(Error(Errc::kExists,
                        record.spec.name +
                            " has nothing to go back to: its script's path, arguments and "
                            "environment are as they were when it was first started here (a file "
                            "that was replaced in its place is yours to bring back)"));
    if (runs(record, *release)) continue;
    auto spec = supervisor::back_to(*release, record.spec);
    if (!spec) return done(std::move(spec).error());
    for (std::string& line : words_of_pins(*spec)) words.insert(std::move(line));
    back.push_back(id);
    specs.emplace_back(id, std::move(*spec));
  }
  if (specs.empty())
    return done(Error(Errc::kExists, workers_.find(ids.front())->record().spec.name +
                                         " runs what a rollback leads to already"));
  Outcome outcome = outcome_of(back);
  outcome.messages.assign(words.begin(), words.end());
  reload_to(std::move(specs), parallel, std::move(outcome), std::move(done));
}

void Operations::reload(const std::vector<WorkerId>& ids, const AppChanges& changes, Done done) {
  if (changes.rollback) return roll_back(ids, changes.parallel, std::move(done));
  Specs specs;
  Outcome outcome = outcome_of(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    auto changed = changed_spec(ids[i], changes);
    if (!changed) return done(std::move(changed).error());  // Before anything has happened.
    if (*changed) outcome.names[i] = (*changed)->name;      // `--name` may have changed it.
    specs.emplace_back(ids[i], std::move(*changed));
  }
  reload_to(std::move(specs), changes.parallel, std::move(outcome), std::move(done));
}

}  // namespace pmx::api
