// save, dump, cleardump and resurrect: dump.pm2 as PM2's users know it. pmx itself needs none of
// it: its own list is kept at every change.
#include "cli/handlers.h"
#include "cli/session.h"

namespace pmx::cli {

int run_save(Session& session) {
  session.console.info("Saving current process list...");
  const Result<Json> answer =
      session.client.post("/v1/save", Json::object({{"force", session.line.has("force")}}));
  if (!answer) return failed(session, answer.error());
  if ((*answer)["path"].as_string().empty()) {
    session.console.warn("PM2 is not managing any process, skipping save...");
    session.console.warn("To force saving use: pm2 save --force");
    return 0;
  }
  session.console.info("Successfully saved in " + (*answer)["path"].as_string());
  return 0;
}

int run_cleardump(Session& session) {
  const Result<Json> answer = session.client.post("/v1/cleardump", Json::object());
  if (!answer) return failed(session, answer.error());
  session.console.info("Successfully created " + (*answer)["path"].as_string());
  return 0;
}

int run_resurrect(Session& session) {
  session.console.info("Resurrecting");
  const Result<Json> answer = session.client.post("/v1/resurrect", Json::object());
  if (!answer) return failed(session, answer.error());
  session.console.info("Restoring processes located in " + session.home + "/dump.pm2");
  for (const Json& name : (*answer)["names"].items())
    session.console.info("Process " + name.as_string() + " restored");
  print_messages(session, *answer);
  return print_list(session);
}

}  // namespace pmx::cli
