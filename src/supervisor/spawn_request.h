// From an app as the user asked for it to everything that exec needs: program, arguments,
// environment and identity, resolved before the fork so that each mistake is one clear line.
//
// Thread:  control.
// Errors:  kInvalidArgument and kNotFound for what the user can put right.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "supervisor/drain_hook.h"
#include "supervisor/keeper_link.h"
#include "supervisor/worker_record.h"

namespace pmx::supervisor {

struct Identity {
  std::string name;  // "" where the number has no entry.
  std::string home;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};
// nullopt where the app keeps our own. Only root may change it; names and numbers from passwd and
// group.
Result<std::optional<Identity>> identity_of(const AppSpec& app);

inline constexpr const char* kSerializationMode = "NODE_CHANNEL_SERIALIZATION_MODE";

using Variables = std::map<std::string, std::string>;
// The environment of a worker: the shell's variables, those of its files (read_env_files()), the
// app's own, and PM2's small set; nothing of the configuration. What the app says itself is never
// changed.
Result<Variables> environment_of(const WorkerRecord& worker, const std::string& home,
                                 const std::optional<Identity>& identity,
                                 const Variables& from_files);

// The value of the app's increment_var for an instance, counted up from `env`'s, else from 0. The
// error does not show the value.
Result<std::string> incremented(const AppSpec& app, const Variables& env, std::int64_t instance);

// PM2 gives every app an IPC channel. Here those get one that can know of it (node, bun and what
// runs JavaScript in them) and those that ask by wait_ready or shutdown_with_message: a descriptor
// that a program does not know of goes on to its children, and a node among those fails for want of
// it.
bool has_channel(const AppSpec& app);
// It runs in Node's cluster mode: asked for, and of a runtime that speaks its protocol.
bool is_cluster(const AppSpec& app);
// Cluster mode of those that bind by themselves, which pmx answers (bind_traps.h): all but Node.
// Deno does both: node:http and node:net speak the protocol, Deno.serve and Deno.listen bind.
bool is_trapped(const AppSpec& app);
// Of a cluster that speaks the protocol: it can be given no socket to accept from, connections
// only. Deno takes a socket, says that it listens, and never accepts.
bool takes_connections_only(const AppSpec& app);
// Lines can be sent to its standard input. PM2's fork mode has a pipe there that nobody closes.
bool has_stdin(const AppSpec& app);

// Absolute path of a program: as it is, or found in the PATH that the app has.
Result<std::string> find_program(const std::string& program, const AppSpec& app);

// What tells the clients of the app's workers to move, and where it is kept. nullptr: nothing.
const DrainHook* drain_hook_of(const AppSpec& app);
std::string drain_hook_path(const std::string& home, const DrainHook& hook);

// Without descriptors: those are the launcher's.
Result<SpawnRequest> spawn_request_of(const WorkerRecord& worker, RunId run,
                                      const std::string& home,
                                      const std::optional<Identity>& identity);

}  // namespace pmx::supervisor
