// Folders that an ecosystem file wants to be served: `script: "serve"`, and PM2's `static` beside
// the list of apps.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace pmx::config {

// The app's script is pmx's own file server where the file says "serve", under any of its names.
void take_serve_word(Json& app);

// An app for each entry of `static`, as the file could have written it. What is no word of PM2's
// for a served folder is left as a key of the app.
Result<std::vector<Json>> served_apps(const Json& list);

std::string served_name(std::string_view port);  // "static-page-server-8080", as PM2.

}  // namespace pmx::config
