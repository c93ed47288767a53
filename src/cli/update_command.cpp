// `pmx update`: the programs of this version in the place of those that run, workers untouched.
#include "base/sys.h"
#include "cli/daemon_boot.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "supervisor/keeper_start.h"

namespace pmx::cli {
namespace {

// The keeper becomes that program, and it is no use to find out afterwards that it cannot.
Result<std::string> keeper_to_become(const Json& running) {
  std::string keeper = PMX_TRY(keeper_executable());
  const std::string line = PMX_TRY(supervisor::keeper_version_line(keeper));
  if (line != supervisor::keeper_version_line())
    return invalid(keeper + " does not belong to this pmx " PMX_VERSION ": it says \"" + line +
                   "\"");
  const std::int64_t protocol = running["keeper_protocol"].as_int();
  if (protocol != supervisor::keeper_protocol())
    return Error(Errc::kRejected,
                 "pmx " + running["keeper_version"].as_string() +
                     " cannot be changed in place for " PMX_VERSION
                     ": `pmx save`, `pmx kill`, `pmx resurrect`, which restarts the workers");
  return keeper;
}

// The daemon's words once it is another one. The keeper holds the socket: nobody is refused. It
// kills a daemon that has not gone after 10 s, as long as one wait is.
Result<Json> next_daemon(Session& session, std::int64_t before) {
  const auto pid = static_cast<int>(before);
  if (!wait_for_end(pid) && !wait_for_end(pid))
    return Error(Errc::kUnavailable, "daemon " + std::to_string(pid) + " has not ended");
  return session.client.get("/v1/ping");
}

}  // namespace

int run_update(Session& session) {
  if (!session.client.running()) {
    session.console.info("No daemon runs in " + session.home +
                         ": the next command starts pmx " PMX_VERSION);
    return 0;
  }
  const Result<Json> running = session.client.get("/v1/ping");
  if (!running) return failed(session, running.error());
  const Result<std::string> keeper = keeper_to_become(*running);
  if (!keeper) return failed(session, keeper.error());
  const Result<Json> agreed = session.client.post(
      "/v1/update", Json::object({{"keeper", *keeper}, {"daemon", sys::self_exe()}}));
  if (!agreed) return failed(session, agreed.error());
  const Result<Json> now = next_daemon(session, (*running)["daemon_pid"].as_int());
  if (!now) return failed(session, now.error());
  for (const std::string_view part : {"version", "keeper_version"})
    if ((*now)[part].as_string() != PMX_VERSION)
      return failed(session, Error(Errc::kIo, "still " + (*now)[part].as_string() + "; " +
                                                  session.home + "/pmx.log says why"));
  session.console.info(">>>>>>>>>> PM2 updated");
  session.console.info("pmx " + (*running)["version"].as_string() +
                       " is " PMX_VERSION " now, and no worker was restarted");
  return print_list(session);
}

}  // namespace pmx::cli
