#include "config/ecosystem.h"

#include <algorithm>
#include <array>

#include "base/crc32c.h"
#include "base/sys.h"
#include "config/internal/script_value.h"
#include "config/internal/yaml.h"
#include "config/nearest.h"
#include "config/schema.h"
#include "config/served_apps.h"

namespace pmx::config {
namespace {

constexpr std::size_t kLargestFileBytes = 16U << 20U;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Result<Json> read_content(const std::string& path, RunJavaScript run) {
  if (contains(path, ".config.js") || contains(path, ".config.cjs") ||
      contains(path, ".config.mjs")) {
    // Not `.config.json`, which also contains `.config.js`.
    if (!path.ends_with(".json")) {
      if (run == RunJavaScript::kYes) return module_value(path);
      return invalid("it is JavaScript");
    }
  }
  const std::string text = path == "-" ? PMX_TRY(sys::read_all(0, kLargestFileBytes))
                                       : PMX_TRY(sys::read_file(path, kLargestFileBytes));
  if (contains(path, ".yml") || contains(path, ".yaml")) return yaml_value(text);
  Result<Json> strict = Json::parse(text);
  if (strict || run == RunJavaScript::kNo) return strict;
  // PM2 evaluates .json as JavaScript: comments, unquoted keys and expressions are common in the
  // wild.
  Result<Json> loose = expression_value(text, path);
  if (loose || loose.error().code() != Errc::kNotFound) return loose;
  return invalid(strict.error().message() +
                 " (and there is no node, bun or deno in PATH to read it as JavaScript)");
}

// An object that is no list of apps is one app, or a mistyped word for the list.
Result<void> check_single_app(const Json& object) {
  for (const std::string& name : names_of(*find_setting("script")))
    if (object.find(name) != nullptr) return {};
  constexpr std::array<std::string_view, 2> kLists{"apps", "pm2"};
  std::string meant;
  for (const auto& [key, value] : object.members())
    if (meant.empty()) meant = suggestion(key, kLists);
  return invalid("no apps in it: expected { apps: [ { script: … } ] }" + meant);
}

}  // namespace

bool is_config_file(std::string_view name) {
  constexpr std::array<std::string_view, 6> kParts{".json",      ".yml",        ".yaml",
                                                   ".config.js", ".config.cjs", ".config.mjs"};
  return std::any_of(kParts.begin(), kParts.end(),
                     [&](std::string_view part) { return contains(name, part); });
}

Result<Ecosystem> ecosystem_from(const Json& content) {
  Ecosystem file;
  const Json* list = &content;
  if (content.is_object()) {
    for (const char* key : {"apps", "pm2"})
      if (const Json* found = content.find(key)) {
        list = found;
        break;
      }
    file.deploy = content["deploy"];
  }
  if (list->is_array())
    file.apps = list->items();
  else if (list->is_object())
    file.apps = {*list};
  const Json& served = content["static"];
  if (list == &content && content.is_object()) {
    const Result<void> single = check_single_app(content);
    if (!single && served.is_null()) return single.error();
    file.apps.front().erase("static");
    if (!single) file.apps.clear();  // Only folders to serve.
  }
  for (Json& app : file.apps) {
    if (!app.is_object()) return invalid("an app is an object with a script, not " + app.dump());
    take_serve_word(app);
  }
  if (!served.is_null())
    for (Json& app : PMX_TRY(served_apps(served))) file.apps.push_back(std::move(app));
  if (content.is_object() && !content["ship"].is_null())
    for (Json& app : file.apps)
      if (app["ship"].is_null()) app.set("ship", content["ship"]);
  if (file.apps.empty()) return invalid("no apps in it: expected { apps: [ { script: … } ] }");
  return file;
}

Result<std::string> config_hash(const std::string& path) {
  const std::string text = PMX_TRY(sys::read_file(path, kLargestFileBytes));
  return std::to_string(text.size()) + "-" + std::to_string(crc32c(text.data(), text.size()));
}

Result<Ecosystem> load_ecosystem(const std::string& path, RunJavaScript run) {
  const std::string shown = path == "-" ? "standard input" : path;
  // Before it is read: a change in between is then seen as one.
  const Result<std::string> hash = path == "-" ? std::string() : config_hash(path);
  Result<Json> content = read_content(path, run);
  if (!content && content.error().sys_errno() != 0 && content.error().code() == Errc::kNotFound)
    return Error(Errc::kNotFound, "File " + path + " not found");
  if (!content) return invalid("File " + shown + " malformated: " + content.error().message());
  Ecosystem file = PMX_TRY_WITHIN(shown, ecosystem_from(*content));
  if (hash) file.hash = *hash;
  return file;
}

Result<std::vector<Json>> only_apps(std::vector<Json> apps, std::string_view only) {
  std::vector<Json> chosen;
  std::string name;
  const auto take = [&]() -> Result<void> {
    if (name.empty()) return {};
    bool found = false;
    for (const Json& app : apps) {
      if (app["name"].as_string() != name) continue;
      chosen.push_back(app);
      found = true;
    }
    std::vector<std::string_view> known;
    for (const Json& app : apps) known.push_back(app["name"].as_string());
    if (!found)
      return invalid("--only: no app \"" + name + "\" in the file" + suggestion(name, known));
    name.clear();
    return {};
  };
  if (only.empty()) return apps;
  for (const char c : only) {
    if (c != ',' && c != ' ')
      name += c;
    else
      PMX_TRY(take());
  }
  PMX_TRY(take());
  return chosen;
}

}  // namespace pmx::config
