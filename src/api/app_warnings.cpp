#include "api/app_warnings.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/sys.h"
#include "base/units.h"
#include "supervisor/listen_spec.h"
#include "supervisor/spawn_request.h"

namespace pmx::api {
namespace {

constexpr std::size_t kLargestProcFile = 64U << 10U;

// "max", and v1's number for none, are no bound.
std::uint64_t bound_in(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const auto bytes = parse_integer(text);
  return bytes && *bytes > 0 ? static_cast<std::uint64_t>(*bytes)
                             : std::numeric_limits<std::uint64_t>::max();
}

// The least of a group's and those above it.
std::uint64_t least_bound(const ReadText& read, const std::string& root, std::string path,
                          const char* file) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  while (true) {
    if (path == "/") path.clear();
    least = std::min(least, bound_in(read(root + path + "/" + file)));
    if (path.empty()) return least;
    path.erase(path.rfind('/'));
  }
}

// Lines are "number:controllers:path"; v2's has neither number but 0 nor controllers.
std::uint64_t cgroup_bytes(const ReadText& read) {
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  std::string text = read("/proc/self/cgroup");
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (path.empty() || path.front() != '/') continue;
    if (controllers == ",,")
      least = std::min(least, least_bound(read, "/sys/fs/cgroup", path, "memory.max"));
    else if (controllers.find(",memory,") != std::string::npos)
      least = std::min(least,
                       least_bound(read, "/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
  }
  return least;
}

// Its workers are started with their sockets, and none of them is one worker's.
bool cannot_be_asked(const AppSpec& app) {
  if (app.health.path.empty() || app.listen.empty() || supervisor::is_cluster(app)) return false;
  const auto specs = supervisor::listen_specs_of(app.listen);
  return app.balance != "slots" || !specs ||
         std::none_of(specs->begin(), specs->end(), [](const supervisor::ListenSpec& spec) {
           return spec.address.kind == supervisor::ListenAddress::Kind::kTcp;
         });
}

}  // namespace

MemoryBound memory_bound(const ReadText& read) {
  const std::uint64_t machine =
      sys::number_of(read("/proc/meminfo"), "MemTotal:").value_or(0) * 1024;
  const std::uint64_t cgroup = cgroup_bytes(read);
  if (machine == 0 || cgroup < machine)
    return {cgroup == std::numeric_limits<std::uint64_t>::max() ? 0 : cgroup, true};
  return {machine, false};
}

MemoryBound memory_bound() {
  return memory_bound(
      [](const std::string& path) { return sys::read_file(path, kLargestProcFile).value_or(""); });
}

std::vector<std::string> start_warnings(const AppSpec& app, const MemoryBound& bound,
                                        std::string_view port_sharing) {
  constexpr std::string_view kNone = "none: ";
  std::vector<std::string> lines;
  if (app.instances > 1 && port_sharing.starts_with(kNone))
    lines.push_back(app.name + ": its " + std::to_string(app.instances) +
                    " instances share no port: they are " +
                    std::string(port_sharing.substr(kNone.size())));
  if (!app.health.path.empty() && (port_sharing.empty() || port_sharing.starts_with(kNone)))
    lines.push_back(app.name +
                    ": health is asked at reloads in cluster mode, which this app has not");
  if (cannot_be_asked(app))
    lines.push_back(app.name +
                    ": health is asked by a socket that is one worker's alone, and fails its "
                    "reloads here: it needs a TCP address in listen, and balance: slots");
  const auto mode = app.env.find(supervisor::kSerializationMode);
  if (app.own_env.contains(supervisor::kSerializationMode) && mode->second != "json" &&
      supervisor::has_channel(app))
    lines.push_back(app.name + ": " + supervisor::kSerializationMode + "=" + mode->second +
                    " is not spoken here: messages of process.send() are JSON");
  const auto instances = static_cast<std::uint64_t>(std::max<std::int64_t>(app.instances, 1));
  if (app.max_memory_restart > 0 && bound.bytes > 0 &&
      app.max_memory_restart > bound.bytes / instances)
    lines.push_back(app.name + ": " + std::to_string(instances) + " x max_memory_restart (" +
                    format_size(app.max_memory_restart) + ") is more than the " +
                    format_size(bound.bytes) + " of " +
                    (bound.of_cgroup ? "this cgroup" : "this machine") +
                    ": the kernel may kill it before pmx restarts it");
  for (const auto& [key, path] :
       {std::pair{"out_file", &app.out_file}, std::pair{"error_file", &app.error_file}})
    if ((path->starts_with("/dev/") && *path != "/dev/null") || path->starts_with("/proc/"))
      lines.push_back(app.name + ": " + key + " " + *path +
                      " is no file that can be kept: its lines go to the home's logs");
  return lines;
}

std::vector<std::string> stop_warnings(
    const std::vector<const supervisor::WorkerRecord*>& stopped) {
  std::vector<std::string> lines;
  std::set<std::string> told;
  for (const supervisor::WorkerRecord* const record : stopped) {
    const AppSpec& spec = record->spec;
    if (spec.cron_restart.empty() || !told.insert(spec.name).second) continue;
    lines.push_back("App " + spec.name + " stopped but CRON RESTART is still UP " +
                    spec.cron_restart + ": pmx restart " + spec.name +
                    " --cron-restart 0 ends it, or pmx delete");
  }
  return lines;
}

}  // namespace pmx::api
