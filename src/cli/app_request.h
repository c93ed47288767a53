// From words and options to the apps that the daemon is asked to start.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/session.h"
#include "config/resolve_app.h"

namespace pmx::cli {

// The options that were given, as an app's canonical keys ("rotate.max_size" and so on, dotted).
Json app_of_options(const CommandLine& line);

// The settings in effect, from the daemon's file: no daemon is needed to read them.
Result<Json> stored_settings(const std::string& home);

Result<config::ResolveContext> resolve_context(const Session& session);

// One app, as a file could have written it; prints the warnings.
Result<AppSpec> described_app(Session& session, const Json& written);
// One script with the options and arguments of the line: as a file would say it, and as an app.
Json written_app(const CommandLine& line, const std::string& script);
Result<AppSpec> script_app(Session& session, const std::string& script);
// The apps of an ecosystem file, all of them good or none. Prints the warnings.
Result<std::vector<AppSpec>> ecosystem_apps(Session& session, const std::string& file);

// Has the daemon start them; prints what it says.
Result<void> post_apps(Session& session, const std::vector<AppSpec>& apps);

// Puts the secrets of the apps' sinks into a request's body: beside the apps, never in one.
void add_ship_secrets(const Session& session, Json& body);

// --parallel of a reload, as a member of a request's body.
Result<void> add_parallel(const Session& session, Json& body);

// What the line's options and arguments change of an app that is listed already, as members of a
// request's body: "changes" (null takes a key back), "update_env" and "ship_secrets". Checked.
Result<Json> changes_of_line(const Session& session, const std::string& target);

// What of an app a restart may change: all but how many instances there are and how they share
// files.
Json changes_of(const AppSpec& app);
// The same as members of a request's body.
void set_changes(Json& body, const AppSpec& app);

}  // namespace pmx::cli
