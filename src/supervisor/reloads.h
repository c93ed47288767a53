// Reloads of whole cluster apps, worker after worker, or `parallel` at a time.
//
// The first worker is the canary: where its successor dies or does not get ready, the reload ends
// there, every old worker stays as it is, and that is the answer. So it does where one that has
// been reloaded ends by itself while others are still to come: they stay. What is still to be done
// is in the workers' records (reload_to), so that a daemon that takes over goes on.
//
// Owns:       the plans under way, one an app.
// Thread:     control.
// Errors:     kExists where the app is reloaded already; else what the worker says.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/result.h"
#include "supervisor/worker.h"

namespace pmx::supervisor {

inline constexpr const char* kAnotherHasFailed = "is given up, as another one has failed";

class Reloads {
 public:
  using Done = std::function<void(Result<void>)>;
  struct Parts {
    std::function<Worker*(WorkerId)> worker;  // nullptr: it has been deleted.
    std::function<void()> save_now;
  };
  explicit Reloads(Parts parts) : parts_(std::move(parts)) {}

  // Of one app; each gets its spec. `done` comes when the last old run has ended.
  void start(const AppKey& app, std::vector<std::pair<WorkerId, AppSpec>> workers,
             std::size_t parallel, Done done);
  void moved(const AppKey& app);  // A worker has got on, or one that was followed has ended.
  bool busy(const AppKey& app) const { return plans_.contains(app); }
  // Some worker is still to be followed; else they only wait for those that leave.
  bool replaces(const AppKey& app) const;

 private:
  struct Plan {
    std::deque<WorkerId> to_do;
    std::vector<WorkerId> done_ids;
    std::map<WorkerId, RunId> followers;  // The runs that have taken over.
    Done done;
    std::set<WorkerId> in_work;
    std::set<WorkerId> adopted;  // Of them: begun by the daemon before, so nobody answers.
    std::size_t parallel = 1;
    bool canary_lives = false;
    std::optional<Error> error;
  };
  void next(const AppKey& app);
  void reloaded(const AppKey& app, WorkerId id, Result<void> result);
  void look_at_adopted(const AppKey& app);
  void look_at_followers(const AppKey& app);
  void give_up(Plan& plan, Error error);

  const Parts parts_;
  std::map<AppKey, Plan> plans_;
};

}  // namespace pmx::supervisor
