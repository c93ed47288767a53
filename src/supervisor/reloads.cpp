#include "supervisor/reloads.h"

#include <algorithm>

namespace pmx::supervisor {

void Reloads::start(const AppKey& app, std::vector<std::pair<WorkerId, AppSpec>> workers,
                    std::size_t parallel, Done done) {
  if (plans_.contains(app))
    return done(Error(Errc::kExists, app.first + " is being reloaded already"));
  for (const auto& [id, spec] : workers)
    if (Worker* const worker = parts_.worker(id); worker != nullptr && worker->reloads_for_memory())
      worker->give_up_reload("makes room for that of a reload that was asked for");
  Plan& plan = plans_[app];
  plan.done = std::move(done);
  plan.parallel = std::max<std::size_t>(parallel, 1);
  for (auto& [id, spec] : workers) {
    Worker* const worker = parts_.worker(id);
    if (worker == nullptr) continue;
    if (worker->reloading()) {
      // A daemon that has taken over finds the successor there: the worker goes on by itself.
      plan.in_work.insert(id);
      plan.adopted.insert(id);
      plan.done_ids.push_back(id);
      continue;
    }
    worker->owe_reload(std::move(spec));
    plan.to_do.push_back(id);
  }
  parts_.save_now();
  next(app);
}

bool Reloads::replaces(const AppKey& app) const {
  const auto plan = plans_.find(app);
  return plan != plans_.end() && !(plan->second.to_do.empty() && plan->second.in_work.empty());
}

void Reloads::next(const AppKey& app) {
  for (;;) {
    const auto found = plans_.find(app);
    if (found == plans_.end()) return;  // What is asked of a worker may be done at once.
    Plan& plan = found->second;
    const std::size_t room = plan.canary_lives ? plan.parallel : 1;
    if (plan.to_do.empty() || plan.error || plan.in_work.size() >= room) break;
    const WorkerId id = plan.to_do.front();
    plan.to_do.pop_front();
    Worker* const worker = parts_.worker(id);
    if (worker == nullptr || !worker->record().reload_to) continue;
    plan.done_ids.push_back(id);
    plan.in_work.insert(id);
    AppSpec spec = *worker->record().reload_to;
    worker->reload(std::move(spec),
                   plan.canary_lives ? Worker::Trust::kAtOnce : Worker::Trust::kCanary,
                   [this, app, id](Result<void> result) { reloaded(app, id, std::move(result)); });
  }
  moved(app);
}

void Reloads::reloaded(const AppKey& app, WorkerId id, Result<void> result) {
  const auto found = plans_.find(app);
  if (found == plans_.end()) return;
  Plan& plan = found->second;
  plan.in_work.erase(id);
  plan.canary_lives = plan.canary_lives || result.has_value();
  const Worker* const worker = parts_.worker(id);
  if (result && worker != nullptr) plan.followers[id] = worker->record().run;
  if (!result && !plan.error) give_up(plan, std::move(result).error());
  next(app);
}

void Reloads::give_up(Plan& plan, Error error) {
  plan.error = std::move(error);
  for (const WorkerId other : plan.to_do)
    if (Worker* const worker = parts_.worker(other)) worker->forget_reload();
  plan.to_do.clear();
}

// A new release that lives for a while and dies then.
void Reloads::look_at_followers(const AppKey& app) {
  Plan& plan = plans_.at(app);
  if (plan.error) return;
  for (const auto& [id, run] : plan.followers) {
    const Worker* const worker = parts_.worker(id);
    if (worker == nullptr) continue;
    const auto& exit = worker->record().last_exit;
    if (!exit || exit->run != run || exit->cause != ExitCause::kItself) continue;
    give_up(plan, Error(Errc::kIo, app.first + " (id " + std::to_string(id.value) +
                                       "): the new process exited " + exit_text(*exit) +
                                       " after it had taken over; workers that were still to be "
                                       "reloaded stay"));
    // Each tells of it at once, which may end the plan.
    for (const WorkerId other : std::set<WorkerId>(plan.in_work))
      if (Worker* const still = parts_.worker(other)) still->give_up_reload(kAnotherHasFailed);
    return;
  }
}

void Reloads::look_at_adopted(const AppKey& app) {
  for (const WorkerId id : std::set<WorkerId>(plans_.at(app).adopted)) {
    const Worker* const worker = parts_.worker(id);
    if (worker != nullptr && worker->record().reload_to) continue;
    plans_.at(app).adopted.erase(id);
    const bool failed = worker != nullptr && worker->record().failed_reload.value != 0;
    reloaded(app, id,
             failed ? Result<void>(Error(Errc::kIo, worker->record().trouble)) : Result<void>());
    if (!plans_.contains(app)) return;
  }
}

void Reloads::moved(const AppKey& app) {
  if (!plans_.contains(app)) return;
  look_at_adopted(app);
  if (plans_.contains(app)) look_at_followers(app);
  const auto found = plans_.find(app);
  if (found == plans_.end()) return;
  const Plan& plan = found->second;
  const bool all_gone =
      std::all_of(plan.done_ids.begin(), plan.done_ids.end(), [this](WorkerId id) {
        const Worker* const worker = parts_.worker(id);
        return worker == nullptr || worker->record().leaving.empty();
      });
  if (!plan.to_do.empty() || !plan.in_work.empty() || !all_gone) return;
  const auto finished = plans_.extract(found);
  parts_.save_now();
  const Done& done = finished.mapped().done;
  if (finished.mapped().error) return done(*finished.mapped().error);
  done({});
}

}  // namespace pmx::supervisor
