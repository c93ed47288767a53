#include "supervisor/spawn_request.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/path.h"
#include "base/sys.h"
#include "base/units.h"
#include "supervisor/env_files.h"
#include "supervisor/listen_spec.h"

namespace pmx::supervisor {
namespace {

constexpr std::size_t kFirstSocket = 3;       // SD_LISTEN_FDS_START.
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

bool runs_node(const std::string& program) {
  constexpr std::array kPrograms{"node", "nodejs", "bun", "ts-node", "tsx", "coffee", "lsc"};
  return std::find(kPrograms.begin(), kPrograms.end(), base_name(program)) != kPrograms.end();
}

bool is_node(const AppSpec& app) {
  const std::string_view program = base_name(app.interpreter);
  return program == "node" || program == "nodejs";
}

bool is_deno(const AppSpec& app) { return base_name(app.interpreter) == "deno"; }

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

bool has_channel(const AppSpec& app) {
  if (app.wait_ready || app.shutdown_with_message || is_cluster(app)) return true;
  if (!app.interpreter.empty() && app.interpreter != "none") return runs_node(app.interpreter);
  if (runs_node(app.script)) return true;
  // A shell line, "node app.js --port 80": the shell puts node in its own place.
  return app.args.size() >= 2 && app.args[0] == "-c" &&
         runs_node(app.args[1].substr(0, app.args[1].find(' ')));
}

bool is_cluster(const AppSpec& app) {
  return app.exec_mode == "cluster_mode" && (is_node(app) || is_deno(app));
}

bool is_trapped(const AppSpec& app) { return app.exec_mode == "cluster_mode" && !is_node(app); }

bool takes_connections_only(const AppSpec& app) { return is_deno(app); }

bool has_stdin(const AppSpec& app) { return app.exec_mode != "cluster_mode"; }

Result<std::string> incremented(const AppSpec& app, const Variables& env, std::int64_t instance) {
  const auto found = env.find(app.increment_var);
  const Result<std::int64_t> base =
      parse_integer(found == env.end() ? std::string_view("0") : std::string_view(found->second));
  if (!base)
    return invalid("increment_var " + app.increment_var + " of app " + app.name +
                   ": its value is no number to count from");
  return std::to_string(*base + instance);
}

namespace {

// Those of whoever started us, or the shell, describe other descriptors. LISTEN_PID is the keeper's
// to say; LISTEN_PIDFDID is systemd's since 258, and must be the worker's where it is there.
Result<void> put_listen_variables(const AppSpec& app, Variables& env) {
  for (const char* const name : {"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID"})
    if (!app.listen.empty() || !app.own_env.contains(name)) env.erase(name);
  if (app.listen.empty()) return {};
  env["LISTEN_FDS"] = std::to_string(app.listen.size());
  env["LISTEN_FDNAMES"] = names_of(PMX_TRY(listen_specs_of(app.listen)));
  return {};
}

}  // namespace

Result<Variables> environment_of(const WorkerRecord& worker, const std::string& home,
                                 const std::optional<Identity>& identity,
                                 const Variables& from_files) {
  const AppSpec& app = worker.spec;
  Variables env = app.env;
  const auto put = [&](const std::string& name, const std::string& value) {
    if (!app.own_env.contains(name)) env[name] = value;
  };
  if (identity && !identity->home.empty()) put("HOME", identity->home);
  for (const auto& [name, value] : from_files) put(name, value);
  // A worker may itself have been started from a worker's shell: what was inherited of these names
  // describes the other one.
  put("PWD", app.cwd);
  put("name", app.name);
  put("namespace", app.app_namespace);
  put("pm_id", std::to_string(worker.id.value));
  put("pm_exec_path", app.script);
  put("pm_cwd", app.cwd);
  put("exec_mode", app.exec_mode);
  put("unique_id", worker.unique_id);
  put("PM2_USAGE", "CLI");
  put("PM2_HOME", home);
  if (env.contains("PMX_HOME")) put("PMX_HOME", home);
  put(app.instance_var.empty() ? "NODE_APP_INSTANCE" : app.instance_var,
      std::to_string(worker.instance));
  // A channel of whoever asked us to start this is none of the worker's.
  for (const char* const name : {"NODE_CHANNEL_FD", kSerializationMode, "NODE_UNIQUE_ID"})
    if (!app.own_env.contains(name)) env.erase(name);
  PMX_TRY(put_listen_variables(app, env));
  if (has_channel(app)) {
    env["NODE_CHANNEL_FD"] = std::to_string(kFirstSocket + app.listen.size());  // Behind them.
    env[kSerializationMode] = "json";
  }
  if (is_cluster(app)) env["NODE_UNIQUE_ID"] = std::to_string(worker.cluster_number);
  // Python buffers what it prints to a pipe, 8 KiB at a time: its last lines would come late.
  if (base_name(app.interpreter).starts_with("python")) env.try_emplace("PYTHONUNBUFFERED", "1");
  if (!app.increment_var.empty())
    env[app.increment_var] = PMX_TRY(incremented(app, env, worker.instance));
  return env;
}

const DrainHook* drain_hook_of(const AppSpec& app) {
  if (app.exec_mode != "cluster_mode" || !app.drain_hook) return nullptr;
  const std::string_view runtime = is_node(app) ? "node" : base_name(app.interpreter);
  const auto* const hook =
      std::find_if(std::begin(kDrainHooks), std::end(kDrainHooks),
                   [&](const DrainHook& known) { return known.runtime == runtime; });
  return hook == std::end(kDrainHooks) ? nullptr : hook;
}

std::string drain_hook_path(const std::string& home, const DrainHook& hook) {
  return home + "/" + std::string(hook.file);
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

namespace {

// By the pmx that runs now: the one that the app was started by may have been another version.
void put_file_server(const AppSpec& app, SpawnRequest& request) {
  request.program = sys::self_exe();
  request.argv = {"pmx", std::string(kFileServerCommand)};
  // PM2: who says `instances` wants them to share what they listen on.
  if (app.instances_given) request.argv.emplace_back(kSharePortOption);
}

Result<void> put_script(const AppSpec& app, const std::string& home,
                        const std::optional<Identity>& identity, SpawnRequest& request) {
  const bool direct = app.interpreter.empty() || app.interpreter == "none";
  request.program = PMX_TRY(find_program(direct ? app.script : app.interpreter, app));
  // argv[0] as the user would have typed it: programs print it.
  request.argv.push_back(direct ? app.script : app.interpreter);
  if (direct) return {};
  if (app.source_map_support.value_or(false) && base_name(app.interpreter) == "node")
    request.argv.emplace_back("--enable-source-maps");
  // Who runs as somebody else cannot read what is in the home.
  if (const DrainHook* const hook = drain_hook_of(app); hook != nullptr && !identity) {
    const std::string path = drain_hook_path(home, *hook);
    // Without it is better than not at all: it could not be written, on a full disk.
    if (::access(path.c_str(), R_OK) == 0)
      request.argv.push_back(std::string(hook->option) + "=" + path);
  }
  request.argv.insert(request.argv.end(), app.interpreter_args.begin(), app.interpreter_args.end());
  request.argv.push_back(app.script);
  return {};
}

}  // namespace

Result<SpawnRequest> spawn_request_of(const WorkerRecord& worker, RunId run,
                                      const std::string& home,
                                      const std::optional<Identity>& identity) {
  const AppSpec& app = worker.spec;
  SpawnRequest request;
  request.run = run;
  request.cwd = app.cwd.empty() ? "/" : app.cwd;
  if (app.script == kFileServerScript)
    put_file_server(app, request);
  else
    PMX_TRY(put_script(app, home, identity, request));
  request.argv.insert(request.argv.end(), app.args.begin(), app.args.end());
  const Variables from_files = PMX_TRY(read_env_files(app, identity));
  for (const auto& [name, value] : PMX_TRY(environment_of(worker, home, identity, from_files)))
    request.env.push_back(name + "=" + value);
  if (identity) {
    request.uid = identity->uid;
    request.gid = identity->gid;
    request.groups = identity->groups;
  }
  return request;
}

}  // namespace pmx::supervisor
