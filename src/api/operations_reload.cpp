// `reload`: cluster apps worker by worker, with one that serves at any time; others are restarted.
#include <map>
#include <memory>

#include "api/internal/gather.h"
#include "api/operations.h"

namespace pmx::api {

void Operations::reload(const std::vector<WorkerId>& ids, const AppChanges& changes, Done done) {
  std::vector<WorkerId> others;
  std::map<supervisor::AppKey, std::vector<std::pair<WorkerId, AppSpec>>> apps;
  for (const WorkerId id : ids) {
    const supervisor::WorkerRecord& record = workers_.find(id)->record();
    auto changed = changed_spec(id, changes);
    if (!changed) return done(std::move(changed).error());  // Before anything has happened.
    const bool serves = record.state == supervisor::WorkerState::kOnline;
    if (!serves || !workers_.shares_port(record.spec)) {
      others.push_back(id);
      continue;
    }
    AppSpec spec = *changed ? std::move(**changed) : record.spec;
    apps[supervisor::app_key(record.spec)].emplace_back(id, std::move(spec));
  }
  if (apps.empty()) return restart(ids, changes, std::move(done));

  const auto gather = std::make_shared<Gather>(workers_, outcome_of(ids), std::move(done));
  for (auto& [app, workers] : apps)
    workers_.reload(std::move(workers), changes.parallel, gather->expect());
  if (!others.empty())
    restart(others, changes, [one = gather->expect()](const Result<Outcome>& outcome) {
      one(outcome ? Result<void>() : Result<void>(outcome.error()));
    });
  gather->close();
}

}  // namespace pmx::api
