#include "api/internal/renames.h"

#include <algorithm>
#include <set>

namespace pmx::api {
namespace {

using supervisor::app_key;
using supervisor::AppKey;
using supervisor::Supervisor;
using supervisor::Worker;

// "": nothing.
std::string why_not(const Supervisor& workers, const AppKey& from, const AppKey& to,
                    std::size_t renamed) {
  const auto all = workers.workers();
  const auto are_called = [&](const AppKey& name) {
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(),
        [&](const Worker* worker) { return app_key(worker->record().spec) == name; }));
  };
  if (workers.reloading(from)) return "it is being reloaded";
  if (are_called(to) > 0 || workers.shares_sockets(to))
    return "there is an app " + to.first + " already";
  if (renamed < are_called(from))
    return "its instances share what they listen on, so that all of them are renamed at once: " +
           restart_line(from, to);
  return "";
}

}  // namespace

std::string restart_line(const AppKey& from, const AppKey& to) {
  std::string line = "pmx restart " + from.first;
  if (from.first != to.first) line += " --name " + to.first;
  if (from.second != to.second) line += " --namespace " + to.second;
  return line;
}

Result<std::map<AppKey, AppKey>> renames_of(const Supervisor& workers,
                                            const std::vector<WorkerId>& ids,
                                            const std::vector<std::optional<AppSpec>>& specs) {
  std::map<AppKey, AppKey> renames;
  std::map<AppKey, std::size_t> renamed;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!specs[i]) continue;
    const AppKey from = app_key(workers.find(ids[i])->record().spec), to = app_key(*specs[i]);
    if (from == to || !workers.shares_sockets(from)) continue;
    renames[from] = to;
    ++renamed[from];
  }
  std::set<AppKey> taken;
  for (const auto& [from, to] : renames) {
    if (!taken.insert(to).second)
      return Error(Errc::kExists,
                   from.first + " keeps its name: another app would be " + to.first + " as well");
    if (const std::string why = why_not(workers, from, to, renamed[from]); !why.empty())
      return Error(Errc::kExists, from.first + " keeps its name: " + why);
  }
  return renames;
}

}  // namespace pmx::api
