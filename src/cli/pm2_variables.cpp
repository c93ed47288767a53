#include "cli/pm2_variables.h"

#include <array>
#include <string_view>

#include "base/check.h"
#include "config/schema.h"

namespace pmx::cli {
namespace {

struct Variable {
  std::string_view name, key;
};
// Not PM2_LOG_DATE_FORMAT, which is about the daemon's own log, and what nothing here depends on:
// polling intervals, lock times.
constexpr std::array kVariables{
    Variable{"PM2_KILL_SIGNAL", "kill_signal"},
    Variable{"PM2_KILL_TIMEOUT", "kill_timeout"},
    Variable{"PM2_KILL_USE_MESSAGE", "shutdown_with_message"},
    Variable{"PM2_GRACEFUL_LISTEN_TIMEOUT", "listen_timeout"},
    Variable{"PM2_PROCESS_INSTANCE_VAR", "instance_var"},
};

}  // namespace

std::vector<std::string> apply_pm2_variables(const std::map<std::string, std::string>& env,
                                             AppSpec& defaults) {
  std::vector<std::string> mistakes;
  for (const auto& [name, key] : kVariables) {
    const auto found = env.find(std::string(name));
    if (found == env.end() || found->second.empty()) continue;
    const config::Setting* const setting = config::find_setting(key);
    PMX_CHECK(setting != nullptr);
    const auto set = config::set_value(*setting, defaults, Json(found->second));
    if (!set)
      mistakes.push_back("The environment's " + std::string(name) +
                         " counts for nothing: " + set.error().message());
  }
  return mistakes;
}

}  // namespace pmx::cli
