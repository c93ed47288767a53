// `reload`: cluster apps worker by worker, with one that serves at any time; others are restarted.
#include <map>
#include <memory>

#include "api/operations.h"
#include "supervisor/spawn_request.h"

namespace pmx::api {

void Operations::reload(const std::vector<WorkerId>& ids, const AppChanges& changes, Done done) {
  std::vector<WorkerId> others;
  std::map<supervisor::AppKey, std::vector<std::pair<WorkerId, AppSpec>>> apps;
  for (const WorkerId id : ids) {
    const supervisor::WorkerRecord& record = workers_.find(id)->record();
    auto changed = changed_spec(id, changes);
    if (!changed) return done(std::move(changed).error());  // Before anything has happened.
    const bool serves = record.state == supervisor::WorkerState::kOnline;
    if (!serves || !supervisor::is_cluster(record.spec)) {
      others.push_back(id);
      continue;
    }
    AppSpec spec = *changed ? std::move(**changed) : record.spec;
    apps[supervisor::app_key(record.spec)].emplace_back(id, std::move(spec));
  }
  if (apps.empty()) return restart(ids, changes, std::move(done));

  struct Waiting {
    Outcome outcome;
    Done done;
    std::optional<Error> error;
    std::size_t open = 0;
  };
  const auto waiting = std::make_shared<Waiting>();
  waiting->outcome = outcome_of(ids);
  waiting->done = std::move(done);
  waiting->open = apps.size() + (others.empty() ? 0 : 1);
  const auto one_less = [waiting](const Result<void>& result) {
    if (!result && !waiting->error) waiting->error = result.error();
    if (--waiting->open > 0) return;
    if (waiting->error) return waiting->done(*waiting->error);
    waiting->done(std::move(waiting->outcome));
  };
  for (auto& [app, workers] : apps) workers_.reload(std::move(workers), changes.parallel, one_less);
  if (!others.empty())
    restart(others, changes, [one_less](const Result<Outcome>& outcome) {
      one_less(outcome ? Result<void>() : Result<void>(outcome.error()));
    });
}

}  // namespace pmx::api
