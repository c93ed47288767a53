// Sinks as a user could have written them: each a URL with the options in its query that are not as
// they are by default. A URL is believed only where reading it gives the same sink.
#include <cctype>
#include <set>

#include "config/internal/value_text.h"
#include "config/sink_config.h"

namespace pmx::config {
namespace {

using Keys = std::set<std::string_view>;

std::string encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF", kPlain = "-._~/:*";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || kPlain.find(c) != std::string_view::npos)
      out += c;
    else
      ((out += '%') += kHex[byte >> 4U]) += kHex[byte & 15U];
  }
  return out;
}

void add(std::string& query, std::string_view name, const Json& value) {
  if (value.is_array() && !value.items().empty() &&
      (name == "label_fields" || name == "redact.keys")) {
    std::string names;
    for (const Json& item : value.items()) names += (names.empty() ? "" : ",") + item.as_string();
    return add(query, name, names);
  }
  for (const Json& item : value.items()) add(query, name, item);  // Patterns: each once more.
  for (const auto& [member, item] : value.members())
    add(query, std::string(name) + "." + member, item);
  if (value.is_array() || value.is_object()) return;
  query += query.empty() ? '?' : '&';
  query.append(name).append("=").append(encoded(scalar_text(value)));
}

std::string query_of(const SinkSpec& spec, const Keys& left_out) {
  SinkSpec usual;
  usual.type = spec.type;
  std::string query;
  for (const SinkOption& row : sink_options()) {
    const Json value = get_sink_option(row, spec);
    if (!value.is_null() && !left_out.contains(row.key) && value != get_sink_option(row, usual))
      add(query, row.key, value);
  }
  return query;
}

std::string url_without_query(const SinkSpec& spec) {
  const std::string& url = spec.urls.front();
  if (spec.type == SinkType::kFile) return "file://" + encoded(url);
  const std::size_t host = url.find("://") + 3;
  return std::string(name_of(spec.type)) + "+" + url.substr(0, host) +
         (spec.auth.user.empty() ? "" : encoded(spec.auth.user) + "@") + url.substr(host);
}

// A header's value may be a token.
SinkSpec without_header_values(SinkSpec spec) {
  for (auto& [name, value] : spec.headers) value = "***";
  return spec;
}

std::string text_of(const SinkSpec& spec) {
  Keys left_out{"auth.user"};
  const auto reads_the_same = [&] {
    const auto read = sinks_from_json(url_without_query(spec) + query_of(spec, left_out));
    return read && read->size() == 1 && read->front().spec == spec;
  };
  const SinkSpec shown = without_header_values(spec);
  if (spec.urls.size() != 1 || !reads_the_same()) return sink_to_json(shown).dump();
  // What follows from the rest.
  for (const std::string_view key : {"name", "index", "data_stream", "auth.type"}) {
    left_out.insert(key);
    if (!reads_the_same()) left_out.erase(key);
  }
  return url_without_query(shown) + query_of(shown, left_out);
}

}  // namespace

std::string sinks_text(const std::vector<SinkSpec>& specs) {
  if (specs.empty()) return "none";
  std::string text;
  for (const SinkSpec& spec : specs) text += (text.empty() ? "" : " ") + text_of(spec);
  if (text.find('{') == std::string::npos) return text;
  Json list = Json::array();
  for (const SinkSpec& spec : specs) list.push_back(sink_to_json(without_header_values(spec)));
  return list.dump();
}

}  // namespace pmx::config
