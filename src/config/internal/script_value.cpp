#include "config/internal/script_value.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/sys.h"
#include "config/internal/helper_process.h"
#include "config/internal/nvm.h"
#include "config/internal/path_lookup.h"

namespace pmx::config {
namespace {

constexpr std::size_t kLargestCommandLineBytes = 4U << 20U;
constexpr int kValueFd = 3;

// The value goes through a file of its own, so that nothing that is printed can get into it, and
// the process ends when it is written: a connection that the file has opened would keep it.
// import() also takes CommonJS, whose module.exports is then the default export. A function's
// members and undefined are left out by JSON.stringify, as they are when PM2 sends them to its
// daemon; a regular expression, as in ignore_watch, becomes its text. `name` and `argv` stand
// before this text; `read` is one of the two below.
constexpr const char* kFrame = R"js(
(async () => {
  const fs = await import('node:fs');
  const put = (answer) => {
    const text = (key, value) => value instanceof RegExp
      ? `/${value.ignoreCase ? '(?i)' : ''}${value.source}/` : value;
    fs.writeFileSync('/proc/self/fd/3', JSON.stringify(answer, text));
    process.exit(0);
  };
  process.argv = [process.argv[0], ...argv];
  try {
    let value = await read(fs);
    if (typeof value === 'function') value = value();
    put({ value: await value });
  } catch (e) {
    const stack = String((e && e.stack) || '');
    const at = stack.indexOf(name + ':');
    const line = at < 0 ? '' : /^\d*/.exec(stack.slice(at + name.length + 1))[0];
    let text = String((e && e.message) || e).split('\n')[0];
    if (text.includes('in ES module scope'))
      text += ' (its package.json says "type": "module"): call it ecosystem.config.cjs';
    put({ error: (line ? 'line ' + line + ': ' : '') + text });
  }
})();
)js";
constexpr const char* kReadModule = R"js(
const read = async () => {
  const { pathToFileURL } = await import('node:url');
  // `node -e` has them for everybody: a CommonJS file in an ES module package would be read as {}.
  for (const name of ['module', 'exports', 'require']) delete globalThis[name];
  let m;
  try {
    m = await import(pathToFileURL(name).href);
  } catch (e) {
    // Deno takes every .js for an ES module, where these two are not.
    if (typeof Deno === 'undefined' || !/^(module|require) is not defined/.test(e.message)) throw e;
    m = { default: (await import('node:module')).createRequire(name)(name) };
  }
  let value = 'default' in m ? m.default : m;
  if (value && value.__esModule && value.default !== undefined) value = value.default;
  return value && value.apps === undefined && m.apps ? m : value;
};
)js";
constexpr const char* kReadExpression = R"js(
const read = async (fs) => {
  const vm = await import('node:vm');
  const text = fs.readFileSync('/proc/self/fd/0', 'utf8').replace(/^\uFEFF/, '');
  return vm.runInThisContext('(' + text + '\n)', { filename: name });
};
)js";

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::vector<std::string> runtime_command(const std::string& script) {
  if (const auto node = find_in_path("node")) return {*node, "-e", script};
  if (const auto bun = find_in_path("bun")) return {*bun, "-e", script};
  if (const auto deno = find_in_path("deno"))
    return {*deno, "eval", "import process from 'node:process';" + script};
  // nvm is a function of interactive shells: cron and ssh have a PATH without it.
  const std::string nvm = nvm_directory(variable("NVM_DIR"), variable("HOME"));
  for (const char* const wanted : {"default", ""})
    if (const auto node = nvm_node(nvm, wanted)) return {*node, "-e", script};
  return {};
}

// Ours as JSON: a file may look at process.argv, and is to find there what was typed.
Json own_arguments() {
  Json words = Json::array();
  const Result<std::string> line = sys::read_file("/proc/self/cmdline", kLargestCommandLineBytes);
  if (!line) return words;
  for (std::size_t begin = 0; begin < line->size();) {
    const std::size_t end = std::min(line->find('\0', begin), line->size());
    words.push_back(line->substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

std::string end_text(int wait_status) {
  if (WIFSIGNALED(wait_status)) return "signal " + std::to_string(WTERMSIG(wait_status));
  return "exit code " + std::to_string(WEXITSTATUS(wait_status));
}

Result<Json> value_of(const char* read, const std::string& name, std::string_view input,
                      std::chrono::milliseconds limit) {
  const std::string script = "const name = " + Json(name).dump() +
                             ", argv = " + own_arguments().dump() + ";" + read + kFrame;
  const std::vector<std::string> command = runtime_command(script);
  if (command.empty())
    return Error(Errc::kNotFound,
                 "it is JavaScript, and there is no node, bun or deno in PATH to read it: install "
                 "one, or write the file as JSON or YAML");
  const HelperAnswer answered = PMX_TRY(run_helper({command, input, kValueFd, limit}));
  if (answered.text.empty())
    return invalid(command[0] + " gave no value for it (" + end_text(answered.wait_status) + ")");
  const Json answer = PMX_TRY(Json::parse(answered.text));
  if (const Json* const error = answer.find("error")) return invalid(error->as_string());
  if (answer.find("value") == nullptr) return invalid("it exports nothing");
  return answer["value"];
}

}  // namespace

Result<Json> expression_value(const std::string& text, const std::string& name,
                              std::chrono::milliseconds limit) {
  return value_of(kReadExpression, name, text, limit);
}

Result<Json> module_value(const std::string& path, std::chrono::milliseconds limit) {
  // Looked at first, so that a missing file is said in our words.
  (void)PMX_TRY(sys::open(path, O_RDONLY));
  return value_of(kReadModule, path, "", limit);
}

}  // namespace pmx::config
