#include "config/editor_schema.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "config/schema.h"
#include "config/sink_options.h"

namespace pmx::config {
namespace {

using Object = Json::Object;

Json types(std::initializer_list<const char*> names) {
  Json list = Json::array();
  for (const char* name : names) list.push_back(name);
  return Json(Object{{"type", std::move(list)}});
}

Json one_of(std::string_view words) {
  Json list = Json::array();
  for (const std::string& word : split_words(words)) list.push_back(word);
  return Json(Object{{"enum", std::move(list)}});
}

Json reference(std::string_view to) {
  return Json(Object{{"$ref", "#/definitions/" + std::string(to)}});
}

// The JSON types that a row's value may have. A number may be written as text everywhere, as from
// an environment variable; its bounds hold for numbers.
struct TypeOf {
  const Setting& row;
  Json number() const {
    Json type = types({"integer", "string"});
    if (row.bounds.min != 0 || row.bounds.max != 0) {
      type.set("minimum",
               row.words.empty() ? row.bounds.min : std::min(row.bounds.min, std::int64_t{0}));
      type.set("maximum", row.bounds.max);
    }
    return type;
  }
  Json operator()(Plain type) const {
    switch (type) {
      case Plain::kFlag:
        return types({"boolean"});
      case Plain::kFlagOrText:
        return types({"boolean", "string"});
      case Plain::kFlagOrWords:
        return types({"boolean", "string", "array"});
      case Plain::kNumber:
        return number();
      case Plain::kText:
        return types({"string"});
      case Plain::kWords:
        return types({"array", "string"});
    }
    return Json::object();
  }
  Json operator()(FieldOf<std::string>) const {
    if (row.key == "exec_mode" || row.key == "log_type" || row.key == "kill_signal")
      return one_of(row.words);
    if (row.key == "log_file") return types({"string", "boolean"});
    return types({"string", "number"});
  }
  Json operator()(FieldOf<bool>) const { return types({"boolean"}); }
  Json operator()(FieldOf<std::optional<bool>>) const { return types({"boolean"}); }
  Json operator()(FieldOf<std::int64_t>) const { return number(); }
  Json operator()(FieldOf<std::uint32_t>) const { return number(); }
  Json operator()(FieldOf<int>) const { return number(); }
  Json operator()(FieldOf<std::uint64_t>) const { return types({"integer", "string", "boolean"}); }
  Json operator()(FieldOf<std::chrono::milliseconds>) const { return types({"integer", "string"}); }
  Json operator()(FieldOf<std::vector<std::string>>) const { return types({"array", "string"}); }
  Json operator()(FieldOf<std::vector<int>>) const { return types({"array", "integer", "string"}); }
  Json operator()(FieldOf<std::map<std::string, std::string>>) const { return reference("env"); }
  Json operator()(FieldOf<Compression>) const {
    return Json(Object{{"enum", Json::Array{"zstd", "gzip", "none", true, false}}});
  }
  Json operator()(FieldOf<WhenFull>) const { return one_of("drop block"); }
  Json operator()(FieldOf<SyncPolicy>) const { return types({"string", "integer"}); }
  Json operator()(FieldOf<std::vector<SinkSpec>>) const { return reference("ship"); }
  // What has no types of its own is described only.
  template <class Other>
  Json operator()(Other) const {
    return Json::object();
  }
};

// As a program would write it; null where there is no default to show.
Json default_of(const Setting& row) {
  const std::string text = default_text(row);
  if (text.empty()) return {};
  const Json value = get_value(row, AppSpec());
  return value.is_bool() ? value : Json(text);
}

std::string sentence(const Setting& row) {
  const bool checked = !std::holds_alternative<std::monostate>(row.field);
  return std::string(row.help) + (checked ? " Allowed: " + allowed_text(row) + "." : "");
}

Json property_of(const Setting& row) {
  Json property = std::visit(TypeOf{row}, row.field);
  // What stands beside a reference is not looked at.
  if (property.find("$ref") != nullptr)
    property = Json(Object{{"allOf", Json::Array{std::move(property)}}});
  property.set("description", sentence(row));
  if (const Json value = default_of(row); !value.is_null()) property.set("default", value);
  return property;
}

// "rotate.max_size" → the members of `rotate`, made where they are missing.
Json& members_of(Json& properties, std::string_view& key, bool open) {
  const std::size_t dot = key.find('.');
  if (dot == std::string_view::npos) return properties;
  const std::string group(key.substr(0, dot));
  key.remove_prefix(dot + 1);
  Json* found = properties.find(group);
  if (found == nullptr) {
    Json made = types({"object", "boolean"});
    if (open) made = types({"object", "string"});
    if (group == "health") made = types({"object", "string", "boolean"});
    made.set("properties", Json::object());
    if (!open) made.set("additionalProperties", false);
    found = &properties.set(group, std::move(made));
  }
  return *found->find("properties");
}

Json app_definition() {
  Json properties = Json::object();
  for (const Setting& row : settings()) {
    std::string_view key = row.key;
    Json& members = members_of(properties, key, false);
    members.set(key, property_of(row));
    const std::size_t group = row.key.size() - key.size();
    std::string path = "app/properties/" + std::string(row.key.substr(0, group));
    if (group > 0) path.replace(path.size() - 1, 1, "/properties/");
    for (const std::string& name : names_of(row))
      if (name != row.key)
        members.set(std::string_view(name).substr(group), reference(path + std::string(key)));
  }
  properties.set("$schema", types({"string"}));
  return Json(Object{{"type", "object"},
                     {"properties", std::move(properties)},
                     {"patternProperties", Json(Object{{"^env_\\S+$", reference("env")}})},
                     {"additionalProperties", false}});
}

Json sink_definition() {
  Json properties = Json::object();
  for (const SinkOption& row : sink_options()) {
    std::string_view key = row.key;
    Json& members = members_of(properties, key, true);
    members.set(key, Json(Object{{"description", std::string(row.help) +
                                                     " Allowed: " + allowed_text(row) + "."}}));
  }
  return Json(Object{{"type", "object"}, {"properties", std::move(properties)}});
}

Json any_of(Json::Array choices) { return Json(Object{{"anyOf", std::move(choices)}}); }

Json list_of(Json items) { return Json(Object{{"type", "array"}, {"items", std::move(items)}}); }

std::string comment(std::string_view text, std::string_view indent) {
  constexpr std::size_t kColumns = 100;
  std::string out, line;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (!line.empty() && indent.size() + 2 + line.size() + 1 + word.size() > kColumns) {
      out += std::string(indent) + "# " + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  return out + std::string(indent) + "# " + line + "\n";
}

// What YAML would take for something else is quoted.
std::string yaml_text(const Json& value) {
  if (!value.is_string()) return value.dump();
  const std::string& text = value.as_string();
  constexpr std::string_view kSpecial = ":#{}[]&*!|>'\"%@`, ";
  return text.find_first_of(kSpecial) == std::string::npos ? text : value.dump();
}

}  // namespace

std::string ecosystem_schema() {
  const Json env = any_of({Json(Object{{"type", "object"}}), types({"string"})});
  const Json ship =
      any_of({types({"string"}), Json(Object{{"enum", Json::Array{false}}}), reference("sink"),
              list_of(any_of({types({"string"}), reference("sink")}))});
  const Json apps = any_of({list_of(reference("app")), reference("app")});
  const Json schema(Object{
      {"$schema", "http://json-schema.org/draft-07/schema#"},
      {"title", "pmx ecosystem file"},
      {"description", "Printed by `pmx docs schema` from the table in src/config/schema.cpp."},
      {"type", Json::Array{"object", "array"}},
      {"items", reference("app")},
      {"properties", Json(Object{{"$schema", types({"string"})},
                                 {"apps", apps},
                                 {"pm2", apps},
                                 {"ship", reference("ship")},
                                 {"static", list_of(Json(Object{{"type", "object"}}))},
                                 {"deploy", Json(Object{{"type", "object"}})}})},
      {"definitions", Json(Object{{"app", app_definition()},
                                  {"env", env},
                                  {"ship", ship},
                                  {"sink", sink_definition()}})}});
  return schema.dump(2) + "\n";
}

std::string defaults_yaml() {
  std::string out =
      "# Every key of an app, with its default where it has one. Printed by `pmx docs defaults`;\n"
      "# docs/SETTINGS.md says what else is allowed.\n"
      "# yaml-language-server: $schema=ecosystem.schema.json\n"
      "apps:\n  - script: app.js\n";
  std::string_view open;
  for (const Setting& row : settings()) {
    if (row.role == Role::kLater || row.role == Role::kMoot || row.key == "script") continue;
    const std::size_t dot = row.key.find('.');
    const std::string_view group = dot == std::string_view::npos ? "" : row.key.substr(0, dot);
    if (!group.empty() && group != open) out += "\n    # " + std::string(group) + ":\n";
    open = group;
    const std::string_view key = group.empty() ? row.key : row.key.substr(dot + 1);
    const Json value = default_of(row);
    out += "\n" + comment(row.help, group.empty() ? "    " : "      ") + "    # " +
           (group.empty() ? "" : "  ") + std::string(key) + ":" +
           (value.is_null() ? "" : " " + yaml_text(value)) + "\n";
  }
  return out;
}

}  // namespace pmx::config
