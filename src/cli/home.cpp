#include "cli/home.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/sys.h"

extern char** environ;

namespace pmx::cli {
namespace {

std::string get(const Environment& env, const std::string& name) {
  const auto found = env.find(name);
  return found == env.end() ? "" : found->second;
}

Result<std::string> absolute(const std::string& path, const std::string& cwd) {
  std::string normal = absolute_path(cwd, path);
  // sun_path has 108 bytes; the socket's name is the longest that we bind.
  constexpr std::size_t kLongestHome = 107 - std::string_view("/pmx.sock").size();
  if (normal.size() > kLongestHome)
    return invalid("the home " + normal + " has a path of more than " +
                   std::to_string(kLongestHome) + " bytes: set PMX_HOME to a shorter one");
  return normal;
}

Result<std::string> below_user_home(const Environment& env, const char* name,
                                    const std::string& cwd) {
  std::string base = get(env, "HOME");
  if (base.empty()) {
    const passwd* user = ::getpwuid(::getuid());
    if (user == nullptr || *user->pw_dir == '\0')
      return invalid("no home directory is known: set HOME or PMX_HOME");
    base = user->pw_dir;
  }
  return absolute(base + "/" + name, cwd);
}

}  // namespace

bool called_as_pm2(std::string_view called_as) { return base_name(called_as).starts_with("pm2"); }

Result<std::string> choose_home(const Environment& env, std::string_view called_as,
                                const std::string& cwd) {
  for (const char* name : {"PMX_HOME", "PM2_HOME"})
    if (const std::string value = get(env, name); !value.empty()) return absolute(value, cwd);
  return below_user_home(env, called_as_pm2(called_as) ? ".pm2" : ".pmx", cwd);
}

Result<std::string> choose_run_home(const Environment& env, const std::string& cwd) {
  if (const std::string value = get(env, "PMX_HOME"); !value.empty()) return absolute(value, cwd);
  return below_user_home(env, ".pmx", cwd);
}

Result<void> refuse_pm2_home(const std::string& home) {
  if (!sys::connect_unix(home + "/rpc.sock")) return {};
  return invalid("a PM2 daemon lives in " + home +
                 ": end it with `pm2 kill`, or set PMX_HOME to another directory");
}

std::string shell_directory(const Environment& env, const std::string& physical) {
  const std::string named = get(env, "PWD");
  struct stat by_name {
  }, by_path{};
  const bool same = named.starts_with('/') && ::stat(named.c_str(), &by_name) == 0 &&
                    ::stat(physical.c_str(), &by_path) == 0 && by_name.st_dev == by_path.st_dev &&
                    by_name.st_ino == by_path.st_ino;
  return same ? named : physical;
}

Environment current_environment() {
  Environment env;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos && equals > 0)
      env.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return env;
}

}  // namespace pmx::cli
