// Commands that say something about the program itself.
#include "cli/command_table.h"
#include "cli/completion.h"
#include "cli/handlers.h"
#include "cli/help_text.h"
#include "cli/session.h"
#include "config/nearest.h"
#include "config/settings_doc.h"

namespace pmx::cli {

int run_version(Session& session) {
  session.console.data(PMX_VERSION "\n");
  return 0;
}

int run_help(Session& session) {
  if (session.line.words.empty()) {
    session.console.data(usage_text());
    return 0;
  }
  const std::string& word = session.line.words.front();
  const Command* command = find_command(word);
  if (command == nullptr) {
    const auto names = command_names();
    return failed(session, invalid("Command not found: " + word + config::suggestion(word, names)));
  }
  session.console.data(usage_text(*command));
  return 0;
}

int run_completion(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "bash|zsh|fish");
  const Result<std::string> script = completion_script(session.line.words.front());
  if (!script) return failed(session, script.error());
  session.console.data(*script);
  return 0;
}

int run_docs(Session& session) {
  const std::string what = session.line.words.empty() ? "" : session.line.words.front();
  if (what != "settings" && what != "man") return missing_argument(session, "settings|man");
  session.console.data(what == "man" ? man_page() : config::settings_markdown());
  return 0;
}

int run_startup(Session& session) {
  session.console.data(
      "pmx keeps its list of apps by itself; at boot it needs to be started once.\n"
      "With systemd, as root:\n\n"
      "    systemctl enable --now pmx\n\n"
      "The unit is pmx.service, as installed; its home is set with `systemctl edit pmx`:\n\n"
      "    [Service]\n"
      "    Environment=PMX_HOME=" +
      session.home + "\n");
  return 0;
}

}  // namespace pmx::cli
