// PM2 picks by the script's ending, and runs whatever else is text by node, so that an executable
// shell script without an ending fails there. Here a script that says `#!` is believed.
#include "config/internal/interpreter.h"

#include <algorithm>
#include <array>

#include "config/internal/path_lookup.h"
#include "config/schema.h"

namespace pmx::config {
namespace {

struct ByEnding {
  std::string_view ending, program;
};
constexpr std::array kByEnding{
    ByEnding{".sh", "bash"},  ByEnding{".py", "python"}, ByEnding{".rb", "ruby"},
    ByEnding{".php", "php"},  ByEnding{".pl", "perl"},   ByEnding{".js", "node"},
    ByEnding{".mjs", "node"}, ByEnding{".cjs", "node"},  ByEnding{".coffee", "coffee"},
    ByEnding{".ls", "lsc"},   ByEnding{".ts", "bun"},    ByEnding{".tsx", "bun"},
};

std::string_view path_of(const AppSpec& app) {
  const auto path = app.env.find("PATH");
  return path == app.env.end() ? "/usr/local/bin:/usr/bin:/bin" : std::string_view(path->second);
}

bool available(const AppSpec& app, std::string_view program) {
  if (program.find('/') != std::string_view::npos)
    return is_executable_file(absolute_path(app.cwd, program));
  return find_in_path(program, path_of(app)).has_value();
}

// The interpreter that a script names in its first line, for one that is not executable itself.
void believe_first_line(AppSpec& app, std::string_view head) {
  const std::string_view line = head.substr(2, head.find('\n') - 2);
  std::vector<std::string> words = split_words(line);
  if (words.empty()) return;
  app.interpreter = words.front();
  app.interpreter_args.insert(app.interpreter_args.begin(), words.begin() + 1, words.end());
}

void choose_by_content(AppSpec& app) {
  const std::string head = first_bytes(app.script);
  const bool binary = head.find('\0') != std::string::npos || head.starts_with(
                                                                  "\x7f"
                                                                  "ELF");
  app.interpreter = "none";
  if (binary) return;
  if (!head.starts_with("#!"))
    app.interpreter = "node";
  else if (!is_executable_file(app.script))
    believe_first_line(app, head);
}

void choose_by_script(AppSpec& app) {
  const std::string_view ending = extension(app.script);
  const auto row = std::find_if(kByEnding.begin(), kByEnding.end(),
                                [&](const ByEnding& known) { return known.ending == ending; });
  if (row == kByEnding.end()) return choose_by_content(app);
  app.interpreter = row->program;
  if (app.interpreter == "python" && !available(app, "python")) app.interpreter = "python3";
  if (app.interpreter == "bash" && !available(app, "bash")) app.interpreter = "sh";
  if (app.interpreter == "bun" && !available(app, "bun")) {
    app.interpreter = "node";
    app.interpreter_args.insert(app.interpreter_args.begin(), "--experimental-strip-types");
  }
}

// "node@20.1.0" is a version that nvm has installed.
Result<void> resolve_nvm(AppSpec& app) {
  constexpr std::string_view kPrefix = "node@";
  if (!app.interpreter.starts_with(kPrefix)) return {};
  const std::string version = app.interpreter.substr(kPrefix.size());
  const auto nvm = app.env.find("NVM_DIR");
  const auto home = app.env.find("HOME");
  std::string root = nvm != app.env.end() ? nvm->second : "";
  if (root.empty() && home != app.env.end()) root = home->second + "/.nvm";
  const std::string node = root + "/versions/node/v" + version + "/bin/node";
  if (!is_executable_file(node))
    return invalid("Interpreter " + app.interpreter + " is not installed: there is no " + node);
  app.interpreter = node;
  return {};
}

}  // namespace

Result<void> choose_interpreter(AppSpec& app, bool given) {
  if (!given) choose_by_script(app);
  PMX_TRY(resolve_nvm(app));
  if (app.interpreter == "none" || app.interpreter.empty()) {
    app.interpreter = "none";
    if (!is_executable_file(app.script))
      return invalid("Script " + app.script +
                     " is not executable: chmod +x it, or name an --interpreter");
    return {};
  }
  if (!available(app, app.interpreter))
    return invalid("Interpreter " + app.interpreter + " is NOT AVAILABLE in PATH. (type 'which " +
                   app.interpreter + "' to double check.)");
  if (app.interpreter.find('/') != std::string::npos)
    app.interpreter = absolute_path(app.cwd, app.interpreter);
  // Python keeps 8 KiB back when its output is a pipe: lines would come late, and not at all after
  // a crash.
  if (base_name(app.interpreter).starts_with("python")) app.env.emplace("PYTHONUNBUFFERED", "1");
  return {};
}

}  // namespace pmx::config
