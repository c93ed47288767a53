// Reads a file that lists apps: JSON (with JavaScript's liberties), a JavaScript module, or YAML.
//
// Errors: one line that begins with the file's name; nothing of a bad file is used.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace pmx::config {

// PM2's rule: the name contains .json, .yml, .yaml, .config.js, .config.cjs or .config.mjs.
bool is_config_file(std::string_view name);

struct Ecosystem {
  std::vector<Json> apps;  // As written; the file's `ship` in those that say nothing of it.
  Json deploy;             // null where the file has none.
  std::string hash;        // config_hash() of the file; "" for the standard input.
};

// `path` absolute, or "-" for JSON on the standard input. Runs the user's node, bun or deno where
// the file is more than strict JSON or YAML; with kNo that is an error.
enum class RunJavaScript : std::uint8_t { kNo, kYes };
Result<Ecosystem> load_ecosystem(const std::string& path, RunJavaScript run = RunJavaScript::kYes);

// Of the file's bytes: tells whether it is the one that was read.
Result<std::string> config_hash(const std::string& path);

// {apps:[…]}, {pm2:[…]}, […] or one app; `ship` and `static` may stand beside the list.
Result<Ecosystem> ecosystem_from(const Json& content);

// The apps that --only names ("a,b" or "a b"); all where it is empty. A name that no app has is an
// error.
Result<std::vector<Json>> only_apps(std::vector<Json> apps, std::string_view only);

}  // namespace pmx::config
