// The commands that users give, on whole apps: found by name, checked before anything happens, one
// answer when all of it has happened.
//
// Thread:  control.
// Errors:  PM2's words where PM2 has some; kNotFound for unknown targets, kExists for double
//          starts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/pm2_dump.h"
#include "supervisor/pipeline.h"
#include "supervisor/roster.h"
#include "supervisor/supervisor.h"

namespace pmx::api {

struct Outcome {
  std::vector<WorkerId> ids;
  std::vector<std::string> names;
  std::vector<std::string> messages;
};

// What a restart or start of something existing brings along.
struct AppChanges {
  Json changes;     // Canonical keys; null takes a key back to its default.
  Json update_env;  // Variables to set.
  // Of a new `env` in changes: what an earlier shell had and this one has not stays, as in PM2.
  bool keep_shell_env = false;
  std::size_t parallel = 1;  // Of a reload: workers at a time.
  bool rollback = false;     // Of a reload: to what ran before, and none of the above.
};

// "4": so many in all; "+2": so many more.
struct ScaleTo {
  std::int64_t number = 0;
  bool more = false;
};
Result<ScaleTo> scale_from_text(std::string_view text);

class Operations {
 public:
  using Done = std::function<void(Result<Outcome>)>;
  // `post` runs a call on the control thread, from any other.
  using Post = std::function<void(std::function<void()>)>;

  Operations(supervisor::Supervisor& workers, supervisor::Pipeline& pipeline,
             supervisor::AppCodec codec, Post post)
      : workers_(workers), pipeline_(pipeline), codec_(std::move(codec)), post_(std::move(post)) {}

  void start_apps(const Json& apps, bool force, Done done);
  // "stop", "restart", "reload", "delete", "reset", "flush", "reload_logs", "rotate"; "start" is
  // PM2's: what runs already is restarted. A reload of separate processes is a restart; of a
  // cluster app it ends with an error at the first worker whose successor does not get ready.
  void act(std::string_view action, std::string_view target, std::string_view cwd,
           const AppChanges& changes, Done done);
  // To `wanted` instances of the app of this name: new ones are made as the first is, and the
  // newest go first, so that instance 0 stays. Not where there are as many already: kExists.
  void scale(const std::string& name, ScaleTo wanted, Done done);
  // What a dump holds and the list has not, by name: in its old place, started where it ran.
  void restore(std::vector<config::DumpedApp> apps, Done done);
  // operations_messages.cpp: to workers that run, which none of these changes.
  // `signal` is a name, SIGUSR2; only a worker's own process gets it.
  void send_signal(std::string_view signal, std::string_view target, std::string_view cwd,
                   const Done& done);
  void send_line(std::string_view id, std::string_view line, const Done& done);
  // PM2's actions, as apps declare them by axm:action. Answers when all that were asked have
  // replied: [{"name","pm_id","namespace","return"}], without "return" where there was none and
  // with "trouble" where no reply came.
  using Replied = std::function<void(Result<Json>)>;
  void trigger(std::string_view target, std::string_view action, const Json& parameter,
               const Replied& done);
  // How many clients each of them has: [{"pm_id","name","namespace","instance","pid","balance",
  // "lived_ms","open","connections","requests"}], the last three null where they are not known,
  // "balance" where nothing is shared. "ports" are those whose connections it is handed.
  void traffic(std::string_view target, std::string_view cwd, const Replied& done);
  // Whole specs of the workers that `target` means, environments and all:
  // [{"id":0,"name":"web","spec":{…}}]
  Result<Json> specs(std::string_view target, std::string_view cwd) const;
  void delete_all(Done done);
  // Ends all, and leaves the list as it is: what is wanted comes back with the next daemon.
  void stop_for_shutdown(Done done);

 private:
  struct Launch {
    AppSpec spec;
    std::vector<WorkerId> existing;  // Stopped ones to be started instead of adding any.
  };
  Result<std::vector<Launch>> plan(const Json& apps, bool force) const;
  Result<std::optional<AppSpec>> changed_spec(WorkerId id, const AppChanges& changes) const;
  void restart(const std::vector<WorkerId>& ids, const AppChanges& changes, Done done);
  void reload(const std::vector<WorkerId>& ids, const AppChanges& changes, Done done);
  void roll_back(const std::vector<WorkerId>& ids, std::size_t parallel, Done done);
  // nullopt: as it is when its turn comes.
  using Specs = std::vector<std::pair<WorkerId, std::optional<AppSpec>>>;
  void reload_to(Specs specs, std::size_t parallel, Outcome outcome, Done done);
  void rotate(const std::vector<WorkerId>& ids, supervisor::Pipeline::Rotate how, Done done);
  Outcome outcome_of(const std::vector<WorkerId>& ids) const;
  Done once_recorded(const std::vector<WorkerId>& ids, Done done);
  Done once_opened(Done done);

  supervisor::Supervisor& workers_;
  supervisor::Pipeline& pipeline_;
  const supervisor::AppCodec codec_;
  const Post post_;
};

}  // namespace pmx::api
