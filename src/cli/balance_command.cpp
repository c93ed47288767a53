// `pmx balance NAME`: asks the daemon, whose workers count themselves, and looks at what can be
// seen from outside of those that do not.
#include <vector>

#include "cli/balance_view.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "supervisor/open_connections.h"

namespace pmx::cli {

int run_balance(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "name|id|namespace|all");
  Json workers = Json::array();
  for (const std::string& word : session.line.words) {
    const Result<Json> answer =
        session.client.post("/v1/traffic", Json::object({{"target", word}, {"cwd", session.cwd}}));
    if (!answer) return failed(session, answer.error());
    for (Json worker : answer->items()) {
      const auto pid = static_cast<pid_t>(worker["pid"].as_int());
      std::vector<int> ports;
      for (const Json& port : worker["ports"].items())
        ports.push_back(static_cast<int>(port.as_int()));
      if (pid > 0 && !worker["open"].is_integer())
        if (const auto open = supervisor::served_connections(pid, ports))
          worker.set("open", static_cast<std::int64_t>(*open));
      workers.push_back(std::move(worker));
    }
  }
  session.console.text(balance_table(session.console, workers));
  for (const std::string& line : uneven_lines(workers)) session.console.warn(line);
  return 0;
}

}  // namespace pmx::cli
