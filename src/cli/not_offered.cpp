#include "cli/not_offered.h"

#include <algorithm>
#include <array>
#include <string>

namespace pmx::cli {
namespace {

constexpr std::string_view kCloud =
    "PM2+ is PM2's paid cloud: pmx has `pmx ship` for logs, `pmx why` and `pmx jlist`";
constexpr std::string_view kModules =
    "modules are written for PM2's own daemon: rotation is built in, logs go out by `pmx ship`";
constexpr std::string_view kProfile =
    "pmx does not profile: `pmx restart NAME --node-args=--cpu-prof` lets node do it";

constexpr std::array kRows{
    NotOffered{"link plus register login logout open web", kCloud},
    NotOffered{"unlink monitor unmonitor", kCloud, true},
    NotOffered{
        "uninstall module:install module:uninstall module:update module:publish module:generate "
        "package publish autoinstall install-otel uninstall-otel",
        kModules},
    NotOffered{"logrotate", "rotation is built in and on: see `pmx get rotate.max_size`", true},
    NotOffered{"profile:cpu profile:mem", kProfile},
    NotOffered{"inspect", "`pmx restart NAME --node-args=--inspect` opens node's debugger"},
    NotOffered{"pull forward backward",
               "pmx does not move your repository: git pull, then `pmx reload NAME`"},
    NotOffered{"deploy",
               "pmx does not deploy: run your steps by ssh, with `pmx startOrReload "
               "ecosystem.config.js --env production` as the last"},
    NotOffered{"create deepUpdate gracefulReload slist examples",
               "PM2 itself has given it up or never explained it; `pmx help` lists what there is"},
};

}  // namespace

const NotOffered* find_not_offered(std::string_view name) {
  if (name.empty() || name.find(' ') != std::string_view::npos) return nullptr;
  const auto* const found = std::find_if(kRows.begin(), kRows.end(), [&](const NotOffered& row) {
    return (" " + std::string(row.names) + " ").find(" " + std::string(name) + " ") !=
           std::string::npos;
  });
  return found == kRows.end() ? nullptr : found;
}

}  // namespace pmx::cli
