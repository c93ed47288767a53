// <home>/state/run.json, by which `pmx run` tells its daemon what to do:
// {"apps": [{…}], "ship_secrets": {…}, "output": "raw"}. Mode 0600: it has whole environments.
#pragma once

#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "config/sink_config.h"
#include "supervisor/echo.h"
#include "supervisor/roster.h"

namespace pmx::api {

struct RunFile {
  std::vector<AppSpec> apps;
  config::SinkSecrets ship_secrets;
  supervisor::EchoStyle style = supervisor::EchoStyle::kRaw;
};
Result<RunFile> read_run_file(Fs& files, const std::string& path,
                              const supervisor::AppCodec& codec);
// Each log of the apps once, whoever shares it.
std::vector<supervisor::Echo::Source> echo_sources(const std::vector<AppSpec>& apps,
                                                   const std::string& logs_directory);

}  // namespace pmx::api
