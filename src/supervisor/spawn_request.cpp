#include "supervisor/spawn_request.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>

#include "base/units.h"

namespace pmx::supervisor {
namespace {

constexpr std::size_t kLookupBytes = 65'536;  // getpwnam_r's scratch; groups of thousands fit.

std::optional<Identity> user_entry(const std::string& name, std::optional<uid_t> uid) {
  std::vector<char> scratch(kLookupBytes);
  passwd entry{};
  passwd* found = nullptr;
  const int failed =
      uid ? ::getpwuid_r(*uid, &entry, scratch.data(), scratch.size(), &found)
          : ::getpwnam_r(name.c_str(), &entry, scratch.data(), scratch.size(), &found);
  if (failed != 0 || found == nullptr) return std::nullopt;
  Identity identity;
  identity.name = found->pw_name;
  identity.home = found->pw_dir;
  identity.uid = found->pw_uid;
  identity.gid = found->pw_gid;
  return identity;
}

std::optional<gid_t> group_entry(const std::string& name) {
  std::vector<char> scratch(kLookupBytes);
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, scratch.data(), scratch.size(), &found) != 0 ||
      found == nullptr)
    return std::nullopt;
  return found->gr_gid;
}

Result<Identity> user_of(const AppSpec& app) {
  if (app.uid.empty()) {
    Identity ours;
    ours.uid = ::geteuid();
    ours.gid = ::getegid();
    const auto entry = user_entry("", ours.uid);
    return entry ? *entry : ours;
  }
  const auto number = parse_integer(app.uid);
  const auto entry =
      number ? user_entry("", static_cast<uid_t>(*number)) : user_entry(app.uid, std::nullopt);
  if (entry) return *entry;
  if (!number || *number < 0)
    return invalid("uid " + app.uid + " of app " + app.name +
                   ": no such user in /etc/passwd: give the name or number of one that is there");
  Identity bare;  // A container's number without a name: valid, with a group of the same number.
  bare.uid = static_cast<uid_t>(*number);
  bare.gid = static_cast<gid_t>(*number);
  return bare;
}

Result<gid_t> group_of(const AppSpec& app, gid_t otherwise) {
  if (app.gid.empty()) return otherwise;
  const auto number = parse_integer(app.gid);
  if (number && *number >= 0) return static_cast<gid_t>(*number);
  const auto entry = group_entry(app.gid);
  if (!entry)
    return invalid("gid " + app.gid + " of app " + app.name +
                   ": no such group in /etc/group: give the name or number of one that is there");
  return *entry;
}

std::vector<gid_t> groups_of(const Identity& identity) {
  if (identity.name.empty()) return {identity.gid};
  std::vector<gid_t> groups(64);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(identity.name.c_str(), identity.gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(identity.name.c_str(), identity.gid, groups.data(), &count) < 0)
      return {identity.gid};
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

bool is_program(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Result<std::optional<Identity>> identity_of(const AppSpec& app) {
  if (app.uid.empty() && app.gid.empty()) return std::optional<Identity>();
  Identity identity = PMX_TRY(user_of(app));
  identity.gid = PMX_TRY(group_of(app, identity.gid));
  if (::geteuid() != 0) {
    if (identity.uid == ::geteuid() && identity.gid == ::getegid())
      return std::optional<Identity>();
    return invalid("app " + app.name + " asks for uid " + (app.uid.empty() ? "-" : app.uid) +
                   " and gid " + (app.gid.empty() ? "-" : app.gid) +
                   ": only root can start programs as somebody else");
  }
  identity.groups = groups_of(identity);
  return std::optional<Identity>(std::move(identity));
}

std::vector<std::string> environment_of(const WorkerRecord& worker, const std::string& home,
                                        const std::optional<Identity>& identity) {
  const AppSpec& app = worker.spec;
  std::map<std::string, std::string> env = app.env;
  if (identity && !identity->home.empty()) env["HOME"] = identity->home;
  // A worker may itself have been started from a worker's shell: what was inherited of these names
  // describes the other one.
  env["PWD"] = app.cwd;
  env["name"] = app.name;
  env["namespace"] = app.app_namespace;
  env["pm_id"] = std::to_string(worker.id.value);
  env["pm_exec_path"] = app.script;
  env["pm_cwd"] = app.cwd;
  env["exec_mode"] = app.exec_mode;
  env["unique_id"] = worker.unique_id;
  env["PM2_HOME"] = home;
  env["PMX_HOME"] = home;
  env[app.instance_var.empty() ? "NODE_APP_INSTANCE" : app.instance_var] =
      std::to_string(worker.instance);
  // Python buffers what it prints to a pipe, 8 KiB at a time: its last lines would come late.
  if (base_name(app.interpreter).starts_with("python")) env.try_emplace("PYTHONUNBUFFERED", "1");
  std::vector<std::string> out;
  out.reserve(env.size());
  for (const auto& [name, value] : env) out.push_back(name + "=" + value);
  return out;
}

Result<std::string> find_program(const std::string& program, const AppSpec& app) {
  if (program.empty()) return invalid("app " + app.name + " names no program");
  if (program.find('/') != std::string::npos)
    return program.front() == '/' ? program : app.cwd + "/" + program;
  std::string path;
  const auto own = app.env.find("PATH");
  const char* const ours = std::getenv("PATH");  // lint: an app started without any PATH.
  if (own != app.env.end()) {
    path = own->second;
  } else {
    path = ours != nullptr ? ours : "/usr/local/bin:/usr/bin:/bin";
  }
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const std::string directory = path.substr(begin, end - begin);
    const std::string candidate = (directory.empty() ? app.cwd : directory) + "/" + program;
    if (is_program(candidate)) return candidate;
    begin = end + 1;
  }
  return Error(Errc::kNotFound, program + " of app " + app.name +
                                    " is not in PATH: install it or give its absolute path");
}

Result<SpawnRequest> spawn_request_of(const WorkerRecord& worker, RunId run,
                                      const std::string& home,
                                      const std::optional<Identity>& identity) {
  const AppSpec& app = worker.spec;
  SpawnRequest request;
  request.run = run;
  request.cwd = app.cwd.empty() ? "/" : app.cwd;
  const bool direct = app.interpreter.empty() || app.interpreter == "none";
  request.program = PMX_TRY(find_program(direct ? app.script : app.interpreter, app));
  // argv[0] as the user would have typed it: programs print it.
  request.argv.push_back(direct ? app.script : app.interpreter);
  if (!direct) {
    request.argv.insert(request.argv.end(), app.interpreter_args.begin(),
                        app.interpreter_args.end());
    request.argv.push_back(app.script);
  }
  request.argv.insert(request.argv.end(), app.args.begin(), app.args.end());
  request.env = environment_of(worker, home, identity);
  if (identity) {
    request.uid = identity->uid;
    request.gid = identity->gid;
    request.groups = identity->groups;
  }
  return request;
}

}  // namespace pmx::supervisor
