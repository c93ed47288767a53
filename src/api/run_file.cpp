#include "api/run_file.h"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "supervisor/log_paths.h"

namespace pmx::api {

Result<RunFile> read_run_file(Fs& files, const std::string& path,
                              const supervisor::AppCodec& codec) {
  const std::string text = PMX_TRY(files.read_file(path));
  const Json json = PMX_TRY_WITHIN(path, Json::parse(text));
  RunFile file;
  for (const Json& app : json["apps"].items())
    file.apps.push_back(PMX_TRY_WITHIN(path, codec.from_json(app)));
  if (file.apps.empty()) return invalid(path + ": no app");
  file.ship_secrets = PMX_TRY_WITHIN(path, config::secrets_from_json(json["ship_secrets"]));
  if (const auto style = supervisor::echo_style_named(json["output"].as_string()))
    file.style = *style;
  return file;
}

std::vector<supervisor::Echo::Source> echo_sources(const std::vector<AppSpec>& apps,
                                                   const std::string& logs_directory) {
  std::vector<supervisor::Echo::Source> sources;
  std::set<std::string> known;
  WorkerId id;
  for (const AppSpec& app : apps) {
    for (std::int64_t i = 0; i < std::max<std::int64_t>(app.instances, 1); ++i, ++id.value) {
      const supervisor::LogFiles logs = supervisor::log_files(app, id, logs_directory);
      if (!logs.out.empty() && known.insert(logs.out).second)
        sources.push_back({logs.out, STDOUT_FILENO, logs.out == logs.err, app.name});
      if (!logs.err.empty() && known.insert(logs.err).second)
        sources.push_back({logs.err, STDERR_FILENO, false, app.name});
    }
  }
  return sources;
}

}  // namespace pmx::api
