#include "ship/item_reader.h"

#include <array>
#include <charconv>
#include <functional>

#include "base/json.h"
#include "ship/bulk_item.h"
#include "ship/internal/jsonline_items.h"
#include "ship/internal/label_rules.h"
#include "ship/internal/loki_entry.h"

namespace pmx::ship {
namespace {

using internal::LokiEncoding;

template <class Number>
Number number_of(std::string_view text, Number otherwise) {
  Number number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

StreamKind kind_of(std::string_view name) {
  return name == "stderr" ? StreamKind::kErr : StreamKind::kOut;
}

// "2/3".
void set_part(ItemFacts& facts, std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return;
  facts.part = number_of(text.substr(0, slash), 0U);
  facts.parts = number_of(text.substr(slash + 1), 0U);
}

std::optional<ItemFacts> read_loki(LokiEncoding encoding, std::string_view group,
                                   std::string_view item) {
  auto line = internal::line_of(item, encoding);
  if (!line) return std::nullopt;
  ItemFacts facts;
  facts.text = std::move(*line);
  for (const auto& [name, value] : internal::metadata_of(item, encoding)) {
    if (name == "pid") facts.run.pid = number_of(value, facts.run.pid);
    if (name == "instance") facts.run.instance = number_of(value, facts.run.instance);
    if (name == "part") set_part(facts, value);
    if (name != "run") continue;
    facts.run.run = number_of(value, facts.run.run);
    facts.run.known = true;
  }
  const auto labels = internal::parse_labels(group);
  if (!labels) return facts;
  const auto label = [&](const char* name) {
    const auto found = labels->find(name);
    return found == labels->end() ? std::string() : found->second;
  };
  facts.kind = kind_of(label("stream"));
  facts.origin.host = label("host");
  facts.origin.app_namespace = label("namespace");
  facts.origin.env = label("env");
  return facts;
}

// A member of nested objects, or of the line's own that has a dotted name.
const Json& member(const Json& source, std::string_view object, std::string_view key) {
  const Json& nested = source[object][key];
  return nested.is_null() ? source[std::string(object) + "." + std::string(key)] : nested;
}

std::optional<ItemFacts> read_bulk(std::string_view item) {
  const std::size_t action_end = item.find('\n');
  if (action_end == std::string_view::npos) return std::nullopt;
  const auto source = Json::parse(item.substr(action_end + 1));
  if (!source || !source->is_object()) return std::nullopt;
  ItemFacts facts;
  facts.text = BulkItems::text_of(item);
  facts.kind = kind_of((*source)["stream"].as_string());
  facts.run.pid = member(*source, "process", "pid").as_int();
  const Json& node = (*source)["service"]["node"]["name"];
  facts.run.instance =
      number_of(node.is_null() ? (*source)["service.node.name"].as_string() : node.as_string(),
                std::int64_t{-1});
  facts.origin.host = member(*source, "host", "name").as_string();
  facts.origin.env = member(*source, "service", "environment").as_string();
  facts.origin.version = member(*source, "service", "version").as_string();
  facts.part = static_cast<std::uint32_t>((*source)["pmx"]["part"].as_int());
  facts.parts = static_cast<std::uint32_t>((*source)["pmx"]["parts"].as_int());
  return facts;
}

std::optional<ItemFacts> read_jsonline(std::string_view text_name, std::string_view item) {
  const auto object = Json::parse(item.substr(0, item.find('\n')));
  if (!object || !(*object)[text_name].is_string()) return std::nullopt;
  ItemFacts facts;
  facts.text = internal::JsonlineItems::text_of(item, text_name);
  facts.kind = kind_of((*object)["stream"].as_string());
  facts.run.pid = (*object)["pid"].as_int();
  facts.run.instance = (*object)["instance"].as_int(-1);
  facts.run.run = static_cast<std::uint64_t>((*object)["run"].as_int());
  facts.run.known = !(*object)["run"].is_null();
  facts.origin.host = (*object)["host"].as_string();
  facts.origin.app_namespace = (*object)["namespace"].as_string();
  facts.origin.env = (*object)["env"].as_string();
  set_part(facts, (*object)["part"].as_string());
  return facts;
}

struct Coding {
  std::string_view name, begin;  // `begin`: of each of its items.
  std::optional<ItemFacts> (*read)(std::string_view group, std::string_view item);
};
constexpr std::array kCodings{
    Coding{"loki/protobuf", "\x12",
           [](std::string_view group, std::string_view item) {
             return read_loki(LokiEncoding::kProtobuf, group, item);
           }},
    Coding{"loki/json", ",[",
           [](std::string_view group, std::string_view item) {
             return read_loki(LokiEncoding::kJson, group, item);
           }},
    Coding{"loki/json", " [",  // Of the first item of a body.
           [](std::string_view group, std::string_view item) {
             return read_loki(LokiEncoding::kJson, group, item);
           }},
    Coding{"bulk",
           "{\"create\":", [](std::string_view, std::string_view item) { return read_bulk(item); }},
    Coding{"jsonline/victorialogs", "{\"_time\":",
           [](std::string_view, std::string_view item) { return read_jsonline("_msg", item); }},
    Coding{"jsonline/http", "{\"time\":",
           [](std::string_view, std::string_view item) { return read_jsonline("line", item); }},
    Coding{"jsonline/file", "{\"time\":",
           [](std::string_view, std::string_view item) { return read_jsonline("line", item); }},
};

}  // namespace

std::optional<ItemFacts> read_item(std::string_view coding, std::string_view group,
                                   std::string_view item) {
  for (const Coding& row : kCodings)
    if (row.name == coding && item.starts_with(row.begin)) return row.read(group, item);
  return std::nullopt;
}

std::string_view coding_of_item(std::string_view item) {
  for (const Coding& row : kCodings)
    if (item.starts_with(row.begin)) return row.name;
  return "";
}

}  // namespace pmx::ship
