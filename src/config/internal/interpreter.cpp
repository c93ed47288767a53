// PM2 picks by the script's ending, and runs whatever else is text by node, so that an executable
// shell script without an ending fails there. Here a script that says `#!` is believed.
//
// Where the line names node, bun, deno or python, that becomes the app's interpreter, as with a
// script that has their ending: instances can then be cluster workers, node_args are node's, and
// python does not buffer. Another program is left to the kernel, which reads such lines best.
#include "config/internal/interpreter.h"

#include <algorithm>
#include <array>

#include "base/path.h"
#include "config/internal/nvm.h"
#include "config/internal/path_lookup.h"
#include "config/node_version.h"
#include "config/schema.h"

namespace pmx::config {
namespace {

struct ByEnding {
  std::string_view ending;
  std::array<std::string_view, 2> programs;  // The first of them that is there.
};
constexpr std::array kByEnding{
    ByEnding{".sh", {"bash", "sh"}},   ByEnding{".py", {"python", "python3"}},
    ByEnding{".rb", {"ruby"}},         ByEnding{".php", {"php"}},
    ByEnding{".pl", {"perl"}},         ByEnding{".js", {"node", "bun"}},
    ByEnding{".mjs", {"node", "bun"}}, ByEnding{".cjs", {"node", "bun"}},
    ByEnding{".coffee", {"coffee"}},   ByEnding{".ls", {"lsc"}},
};
constexpr std::array<std::string_view, 4> kTypeScript{".ts", ".mts", ".cts", ".tsx"};

std::string_view path_of(const AppSpec& app) {
  const auto path = app.env.find("PATH");
  return path == app.env.end() ? "/usr/local/bin:/usr/bin:/bin" : std::string_view(path->second);
}

std::string_view value_of(const AppSpec& app, const std::string& name) {
  const auto found = app.env.find(name);
  return found == app.env.end() ? std::string_view() : std::string_view(found->second);
}

bool available(const AppSpec& app, std::string_view program) {
  if (program.find('/') != std::string_view::npos)
    return is_executable_file(absolute_path(app.cwd, program));
  return find_in_path(program, path_of(app)).has_value();
}

// "#!/usr/bin/env -S node --flag" → node, --flag. Empty where the script has no such line.
std::vector<std::string> first_line(std::string_view head) {
  if (!head.starts_with("#!")) return {};
  std::string_view line = head.substr(2, head.find('\n') - 2);
  if (line.ends_with('\r')) line.remove_suffix(1);  // The kernel would look for "node\r".
  std::vector<std::string> words = split_words(line);
  if (words.empty() || base_name(words.front()) != "env") return words;
  const auto program = std::find_if(words.begin() + 1, words.end(), [](const std::string& word) {
    return !word.starts_with('-') && word.find('=') == std::string::npos;
  });
  return {program, words.end()};
}

bool is_known_runtime(std::string_view program) {
  const std::string_view name = base_name(program);
  return name == "node" || name == "bun" || name == "deno" || name.starts_with("python");
}

void use(AppSpec& app, const std::vector<std::string>& command) {
  app.interpreter = command.front();
  app.interpreter_args.insert(app.interpreter_args.begin(), command.begin() + 1, command.end());
}

void choose_by_content(AppSpec& app) {
  const std::string head = first_bytes(app.script);
  const bool binary = head.find('\0') != std::string::npos || head.starts_with(
                                                                  "\x7f"
                                                                  "ELF");
  app.interpreter = "none";
  if (binary) return;
  const std::vector<std::string> command = first_line(head);
  if (command.empty())
    app.interpreter = "node";
  else if (!is_executable_file(app.script) ||
           (is_known_runtime(command.front()) && available(app, command.front())))
    use(app, command);
}

// Node reads TypeScript from 22.6 on with a flag, from 22.18 and 23.6 on without; never JSX.
Result<void> choose_for_typescript(AppSpec& app, const std::string& version_cache) {
  std::string why = "there is none of them in PATH";
  if (available(app, "bun")) {
    use(app, {"bun"});
    return {};
  }
  if (available(app, "node")) {
    const auto version = interpreter_version("node", path_of(app), app.cwd, version_cache);
    const bool jsx = extension(app.script) == ".tsx";
    if (!jsx && version &&
        (is_at_least(*version, 23, 6) ||
         (version->starts_with("22.") && is_at_least(*version, 22, 18)))) {
      use(app, {"node"});
      return {};
    }
    if (!jsx && (!version || is_at_least(*version, 22, 6))) {
      use(app, {"node", "--experimental-strip-types"});
      return {};
    }
    why = jsx ? "node does not read JSX" : "the node in PATH is " + *version;
  }
  if (available(app, "deno")) {
    use(app, {"deno", "run", "-A"});
    return {};
  }
  return invalid("Script " + app.script + " needs bun, node from 22.6 on or deno, and " + why +
                 ": install one, or name an interpreter (--interpreter tsx)");
}

Result<void> choose_by_script(AppSpec& app, const std::string& version_cache) {
  const std::string_view ending = extension(app.script);
  if (std::find(kTypeScript.begin(), kTypeScript.end(), ending) != kTypeScript.end())
    return choose_for_typescript(app, version_cache);
  const auto* const row =
      std::find_if(kByEnding.begin(), kByEnding.end(),
                   [&](const ByEnding& known) { return known.ending == ending; });
  if (row == kByEnding.end()) {
    choose_by_content(app);
    return {};
  }
  app.interpreter = row->programs.front();
  for (const std::string_view program : row->programs)
    if (!program.empty() && !available(app, app.interpreter) && available(app, program))
      app.interpreter = program;
  return {};
}

// "node@20" is a version that nvm has installed.
Result<void> resolve_nvm(AppSpec& app) {
  constexpr std::string_view kPrefix = "node@";
  if (!app.interpreter.starts_with(kPrefix)) return {};
  const std::string wanted = app.interpreter.substr(kPrefix.size());
  const std::string nvm = nvm_directory(value_of(app, "NVM_DIR"), value_of(app, "HOME"));
  const auto node = wanted.empty() ? std::nullopt : nvm_node(nvm, wanted);
  if (!node) {
    std::string known;
    for (const std::string& version : nvm_versions(nvm))
      known += (known.empty() ? "" : ", ") + version;
    return invalid("Interpreter " + app.interpreter + " is not installed in " + nvm + " (" +
                   (known.empty() ? "nothing is" : "there: " + known) + "): nvm install " + wanted);
  }
  app.interpreter = *node;
  return {};
}

}  // namespace

Result<void> choose_interpreter(AppSpec& app, bool given, const std::string& version_cache) {
  if (!given) PMX_TRY(choose_by_script(app, version_cache));
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
  return {};
}

}  // namespace pmx::config
