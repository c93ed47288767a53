#include "config/internal/script_value.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "base/sys.h"
#include "config/internal/path_lookup.h"

extern char** environ;

namespace pmx::config {
namespace {

constexpr std::size_t kLargestValueBytes = 64U << 20U;
// What stands before the JSON: a config file may print to the standard output while it is read.
constexpr std::string_view kMark = "\x01pmx-config\x01";

// import() also takes CommonJS, whose module.exports is then the default export. A function's
// members and undefined are left out by JSON.stringify, as they are when PM2 sends them to its
// daemon.
constexpr const char* kModuleScript = R"js(
import('node:url').then(u => import(u.pathToFileURL(process.env.PMX_CONFIG_FILE).href)).then(m => {
  const v = m.default === undefined ? m : m.default;
  const value = v && v.apps === undefined && m.apps ? m : v;
  process.stdout.write('\x01pmx-config\x01' + JSON.stringify(value));
}).catch(e => { console.error(String(e && e.message || e).split('\n')[0]); process.exitCode = 1; });
)js";
constexpr const char* kExpressionScript = R"js(
import('node:fs').then(fs => {
  const v = (0, eval)('(' + fs.readFileSync(0, 'utf8') + '\n)');
  process.stdout.write('\x01pmx-config\x01' + JSON.stringify(v));
}).catch(e => { console.error(String(e && e.message || e).split('\n')[0]); process.exitCode = 1; });
)js";

std::vector<std::string> runtime_command(const char* script) {
  if (const auto node = find_in_path("node")) return {*node, "-e", script};
  if (const auto bun = find_in_path("bun")) return {*bun, "-e", script};
  if (const auto deno = find_in_path("deno"))
    return {*deno, "eval", std::string("import process from 'node:process';") + script};
  return {};
}

struct Answer {
  std::string out;
  std::string err;
  int wait_status = 0;
};

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void duplicate(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// The error text goes through a memfd, so that one pipe is read to its end without a poll.
Result<Answer> run(const std::vector<std::string>& command, std::vector<std::string> variables,
                   std::string_view input) {
  const Fd in = PMX_TRY(sys::memfd_of("config", input));
  const Fd err = PMX_TRY(sys::memfd_of("config-errors", ""));
  sys::Pipe pipe = PMX_TRY(sys::pipe());
  FileActions actions;
  actions.duplicate(in.get(), STDIN_FILENO);
  actions.duplicate(pipe.write_end.get(), STDOUT_FILENO);
  actions.duplicate(err.get(), STDERR_FILENO);

  std::vector<char*> argv, env;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  for (std::string& variable : variables) env.push_back(variable.data());
  for (char** variable = environ; *variable != nullptr; ++variable) env.push_back(*variable);
  env.push_back(nullptr);

  pid_t pid = 0;
  const int failed =
      ::posix_spawn(&pid, command[0].c_str(), actions.get(), nullptr, argv.data(), env.data());
  if (failed != 0) return system_error(failed, "posix_spawn", command[0]);
  pipe.write_end.reset();
  Answer answer;
  Result<std::string> out = sys::read_all(pipe.read_end.get(), kLargestValueBytes);
  pipe.read_end.reset();  // Before the wait: a child that still writes gets EPIPE and ends.
  while (::waitpid(pid, &answer.wait_status, 0) < 0 && errno == EINTR) {
  }
  answer.out = PMX_TRY(std::move(out));
  ::lseek(err.get(), 0, SEEK_SET);
  answer.err = PMX_TRY(sys::read_all(err.get(), kLargestValueBytes));
  return answer;
}

Result<Json> value_of(const char* script, std::vector<std::string> variables,
                      std::string_view input) {
  const std::vector<std::string> command = runtime_command(script);
  if (command.empty())
    return Error(Errc::kNotFound, "it is JavaScript, and no node, bun or deno is in PATH");
  const Answer answer = PMX_TRY(run(command, std::move(variables), input));
  const std::size_t mark = answer.out.rfind(kMark);
  if (mark == std::string::npos) {
    const std::string reason = answer.err.substr(0, answer.err.find('\n'));
    return invalid(reason.empty() ? command[0] + " gave no value for it" : reason);
  }
  const std::string json = answer.out.substr(mark + kMark.size());
  if (json == "undefined") return invalid("it exports nothing");
  return Json::parse(json);
}

}  // namespace

Result<Json> expression_value(const std::string& text) {
  return value_of(kExpressionScript, {}, text);
}

Result<Json> module_value(const std::string& path) {
  // Looked at first, so that a missing file is said in our words.
  (void)PMX_TRY(sys::open(path, O_RDONLY));
  return value_of(kModuleScript, {"PMX_CONFIG_FILE=" + path}, "");
}

}  // namespace pmx::config
