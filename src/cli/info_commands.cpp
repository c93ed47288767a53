// Commands that say something about the program itself.
#include <array>

#include "base/fs.h"
#include "base/sys.h"
#include "cli/command_table.h"
#include "cli/completion.h"
#include "cli/handlers.h"
#include "cli/help_text.h"
#include "cli/session.h"
#include "config/editor_schema.h"
#include "config/nearest.h"
#include "config/settings_doc.h"

namespace pmx::cli {

namespace {

// What scripts that ask for PM2's version are told: the one whose interface this is.
constexpr std::string_view kPm2Version = "7.0.4";

constexpr std::size_t kReportLines = 40;
constexpr std::size_t kLargestProcFile = 4096;

std::string last_lines(std::string_view text, std::size_t lines) {
  std::size_t begin = text.size();
  for (std::size_t i = 0; i <= lines && begin != std::string_view::npos && begin > 0; ++i)
    begin = text.rfind('\n', begin - 1);
  return std::string(begin == std::string_view::npos || begin == 0 ? text : text.substr(begin + 1));
}

std::string first_line(const std::string& path) {
  const auto text = sys::read_file(path, kLargestProcFile);  // Files of /proc have no size.
  return text ? text->substr(0, text->find('\n')) : "not readable";
}

}  // namespace

int run_version(Session& session) {
  session.console.data(
      (called_as_pm2(session.called_as) ? std::string(kPm2Version) : std::string(PMX_VERSION)) +
      "\n");
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
  // As PM2's, which is for bash: `pm2 completion >> ~/.bashrc`.
  const std::string shell = session.line.words.empty() ? "bash" : session.line.words.front();
  const Result<std::string> script = completion_script(shell);
  if (!script) return failed(session, script.error());
  session.console.data(*script);
  return 0;
}

int run_docs(Session& session) {
  struct Document {
    std::string_view name;
    std::string (*text)();
  };
  constexpr std::array kDocuments{Document{"settings", &config::settings_markdown},
                                  Document{"schema", &config::ecosystem_schema},
                                  Document{"defaults", &config::defaults_yaml},
                                  Document{"man", &man_page}};
  const std::string what = session.line.words.empty() ? "" : session.line.words.front();
  for (const Document& document : kDocuments) {
    if (document.name != what) continue;
    session.console.data(document.text());
    return 0;
  }
  return missing_argument(session, "settings|schema|defaults|man");
}

// To be pasted into a report of a problem: nothing of an app but what list shows, no variables.
int run_report(Session& session) {
  std::string out = "pmx " PMX_VERSION ", home " + session.home + "\nkernel " +
                    first_line("/proc/sys/kernel/osrelease") + ", up " +
                    first_line("/proc/uptime") + " s, load " + first_line("/proc/loadavg") + "\n";
  const Result<Json> ping = session.client.get("/v1/ping");
  out += "daemon: " + (ping ? ping->dump() : ping.error().message()) + "\n\n";
  session.console.data(out);
  const int listed = print_list(session);
  session.console.data("\nThe last lines of " + session.home + "/pmx.log:\n");
  const auto log = RealFs().read_file(session.home + "/pmx.log");
  if (log) session.console.data(last_lines(*log, kReportLines));
  return listed;
}

}  // namespace pmx::cli
