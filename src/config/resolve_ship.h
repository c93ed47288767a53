// Where an app's lines go, as far as only the user's shell can say it: relative paths become
// absolute, and secrets are read from the shell's environment and files. Done by the CLI; what
// comes out are specs without secrets, and the secrets beside them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/resolve_app.h"
#include "config/sink_config.h"

namespace pmx::config {

// URLs for apps that say nothing of `ship`, and the secret of users in a URL without one. Both are
// taken out of the workers' environment, which jlist shows.
inline constexpr std::string_view kShipVariable = "PMX_SHIP";
inline constexpr std::string_view kShipPasswordVariable = "PMX_SHIP_PASSWORD";
inline bool is_ship_variable(std::string_view name) {
  return name == kShipVariable || name == kShipPasswordVariable;
}

struct ResolvedShip {
  std::vector<SinkSpec> specs;
  SinkSecrets secrets;
  std::vector<std::string> warnings;
};
Result<ResolvedShip> resolve_sinks(const Json& written, const ResolveContext& context);

// Puts what `ship` of the app says (or PMX_SHIP, where it says nothing) into the app as resolved
// objects; what else came out is returned. The error names the app.
Result<ResolvedShip> resolve_ship(Json& app, const ResolveContext& context);

}  // namespace pmx::config
