// How each type of a setting is read, checked and printed: the half of schema.h that knows values.
// A value comes from JSON, YAML or the command line, so a number may be written as a string.
#include <algorithm>
#include <array>
#include <limits>

#include "base/schedule.h"
#include "base/units.h"
#include "config/internal/pattern.h"
#include "config/internal/text_checks.h"
#include "config/internal/value_text.h"
#include "config/schema.h"
#include "config/sink_config.h"
#include "supervisor/ignore_rules.h"

namespace pmx::config {
namespace {

using std::chrono::milliseconds;

Error not_allowed(const Setting& setting, const Json& value) {
  return invalid(std::string(setting.key) + ": " + value.dump() +
                 " is not allowed: " + allowed_text(setting));
}

bool is_word(const Setting& setting, std::string_view text) {
  return has_word(setting.words, text);
}

// One overload a type: true when `value` was allowed and is now in `out`.
bool read(const Setting& row, std::string& out, const Json& value) {
  if (value.is_array() || value.is_object()) return false;
  std::string text = scalar_text(value);
  if (row.key == "exec_mode") {
    if (!is_word(row, text)) return false;
    out = text.starts_with("fork") ? "fork_mode" : "cluster_mode";
    return true;
  }
  if (row.key == "rotate.every") {
    if (text == "off" || text == "false") text.clear();
    if (!text.empty() && !Schedule::parse(text)) return false;
  } else if (row.key == "cron_restart") {
    if (text == "0" || text == "false") text.clear();
    // "hour" is a rotation's.
    const bool pattern = text.starts_with('@') || text.find(' ') != std::string::npos;
    if (!text.empty() && !(pattern && Schedule::parse(text))) return false;
  } else if (row.key == "log_type") {
    if (text == "raw") text.clear();
    if (!text.empty() && !is_word(row, text)) return false;
  } else if (row.key == "kill_signal") {
    if (!text.empty() && !is_word(row, text = as_signal_name(std::move(text)))) return false;
  } else if (row.key == "health.path") {
    if (text == "false") text.clear();
    if (!text.empty() && !is_request_path(text)) return false;
  } else if (row.key == "health.expect") {
    if (!is_expected_answer(text)) return false;
  } else if (row.key == "log_file" && value.is_bool() && !value.as_bool()) {
    text.clear();
  }
  // A NUL cannot stand in a path, an argument or a variable.
  if (text.find('\0') != std::string::npos) return false;
  out = std::move(text);
  return true;
}

bool read(const Setting&, bool& out, const Json& value) {
  const auto flag = as_bool(value);
  if (flag) out = *flag;
  return flag.has_value();
}

bool read(const Setting&, std::optional<bool>& out, const Json& value) {
  out = as_bool(value);
  return out.has_value();
}

std::optional<std::int64_t> bounded_number(const Setting& row, const Json& value) {
  if (value.is_string() && is_word(row, value.as_string())) return 0;
  const auto number = as_number(value);
  if (!number || !(within(row.bounds, *number) || (*number == 0 && !row.words.empty())))
    return std::nullopt;
  return number;
}

template <class Integer>
bool read_number(const Setting& row, Integer& out, const Json& value) {
  const auto number = bounded_number(row, value);
  if (number) out = static_cast<Integer>(*number);
  return number.has_value();
}
bool read(const Setting& row, std::int64_t& out, const Json& value) {
  return read_number(row, out, value);
}
bool read(const Setting& row, std::uint32_t& out, const Json& value) {
  return read_number(row, out, value);
}
bool read(const Setting& row, int& out, const Json& value) { return read_number(row, out, value); }

bool read(const Setting& row, std::uint64_t& out, const Json& value) {
  const std::string text = scalar_text(value);
  const Result<std::uint64_t> size = is_word(row, text) || (value.is_bool() && !value.as_bool())
                                         ? Result<std::uint64_t>(std::uint64_t{0})
                                         : parse_size(text);
  if (!size || value.is_array() || value.is_object()) return false;
  if (*size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return false;
  if (*size != 0 && !within(row.bounds, static_cast<std::int64_t>(*size))) return false;
  out = *size;
  return true;
}

bool read(const Setting& row, milliseconds& out, const Json& value) {
  const std::string text = scalar_text(value);
  const Result<milliseconds> time =
      is_word(row, text) ? Result<milliseconds>(milliseconds(0)) : parse_duration(text);
  if (!time || value.is_array() || value.is_object()) return false;
  if (!within(row.bounds, time->count()) && !(time->count() == 0 && !row.words.empty()))
    return false;
  out = *time;
  return true;
}

bool read(const Setting&, std::vector<std::string>& out, const Json& value) {
  auto words = as_words(value);
  if (!words) return false;
  for (const std::string& word : *words)
    if (word.find('\0') != std::string::npos) return false;
  out = std::move(*words);
  return true;
}

bool read(const Setting& row, std::vector<int>& out, const Json& value) {
  const auto words = as_words(value);
  if (!words) return false;
  std::vector<int> codes;
  for (const std::string& word : *words) {
    const Result<std::int64_t> code = parse_integer(word);
    if (!code || !within(row.bounds, *code)) return false;
    codes.push_back(static_cast<int>(*code));
  }
  out = std::move(codes);
  return true;
}

bool read(const Setting&, std::map<std::string, std::string>& out, const Json& value) {
  std::map<std::string, std::string> variables;
  const auto add = [&](const std::string& name, std::string text) {
    const bool fits = !name.empty() && name.find('=') == std::string::npos &&
                      name.find('\0') == std::string::npos && text.find('\0') == std::string::npos;
    if (fits) variables[name] = std::move(text);
    return fits;
  };
  if (value.is_string()) {
    for (const std::string& word : split_words(value.as_string())) {
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) return false;
      if (!add(word.substr(0, equals), word.substr(equals + 1))) return false;
    }
  } else {
    if (!value.is_object()) return false;
    for (const auto& [name, item] : value.members())
      if (!item.is_null() &&
          !add(name, item.is_object() || item.is_array() ? item.dump() : scalar_text(item)))
        return false;
  }
  out = std::move(variables);
  return true;
}

bool read(const Setting&, Compression& out, const Json& value) {
  const std::string text = scalar_text(value);
  // PM2's logrotate knows true and false only, and its true is gzip.
  if (text == "zstd")
    out = Compression::kZstd;
  else if (text == "gzip" || text == "true")
    out = Compression::kGzip;
  else if (text == "none" || text == "false")
    out = Compression::kNone;
  else
    return false;
  return true;
}

bool read(const Setting&, WhenFull& out, const Json& value) {
  const std::string text = scalar_text(value);
  if (text != "drop" && text != "block") return false;
  out = text == "drop" ? WhenFull::kDrop : WhenFull::kBlock;
  return true;
}

bool read(const Setting& row, SyncPolicy& out, const Json& value) {
  const std::string text = scalar_text(value);
  if (text == "seal" || text == "batch") {
    out.mode = text == "seal" ? SyncPolicy::Mode::kSeal : SyncPolicy::Mode::kBatch;
    out.interval = SyncPolicy().interval;
    return true;
  }
  const Result<milliseconds> interval = parse_duration(text);
  if (!interval || !within(row.bounds, interval->count())) return false;
  out = {SyncPolicy::Mode::kInterval, *interval};
  return true;
}

bool read(const Setting&, WatchPolicy& out, const Json& value) {
  if (const auto flag = as_bool(value)) {
    out.on = *flag;
    out.paths.clear();
    return true;
  }
  auto paths = as_words(value);
  if (!paths || paths->empty()) return false;
  for (const std::string& path : *paths)
    if (path.empty() || path.find('\0') != std::string::npos) return false;
  out.on = true;
  out.paths = std::move(*paths);
  return true;
}

[[maybe_unused]] bool read(const Setting&, std::monostate&, const Json&) { return false; }

bool is_plain(const Setting& row, Plain type, const Json& value) {
  switch (type) {
    case Plain::kFlag:
      return as_bool(value).has_value();
    case Plain::kFlagOrText:
      return value.is_bool() || value.is_string();
    case Plain::kFlagOrWords:
      return as_bool(value).has_value() || as_words(value).has_value();
    case Plain::kNumber:
      return bounded_number(row, value).has_value();
    case Plain::kText:
      return !value.is_array() && !value.is_object();
    case Plain::kWords:
      return as_words(value).has_value();
  }
  return false;
}

Json write(const std::string& value) { return value; }
Json write(const bool& value) { return value; }
Json write(const std::optional<bool>& value) { return value ? Json(*value) : Json(); }
Json write(const std::int64_t& value) { return value; }
Json write(const std::uint32_t& value) { return value; }
Json write(const int& value) { return value; }
Json write(const std::uint64_t& value) { return value; }
Json write(const milliseconds& value) { return value.count(); }
Json write(const std::vector<std::string>& value) {
  return Json::Array(value.begin(), value.end());
}
Json write(const std::vector<int>& value) { return Json::Array(value.begin(), value.end()); }
Json write(const std::map<std::string, std::string>& value) {
  Json::Object members;  // Straight into the vector: set() would look for each name from the start.
  for (const auto& [name, text] : value) members.emplace_back(name, text);
  return members;
}
Json write(const Compression& value) {
  constexpr std::array<const char*, 3> kNames{"none", "gzip", "zstd"};
  return kNames[static_cast<std::size_t>(value)];
}
Json write(const WhenFull& value) { return value == WhenFull::kDrop ? "drop" : "block"; }
Json write(const std::vector<SinkSpec>& value) { return sinks_to_json(value); }
Json write(const WatchPolicy& value) {
  if (value.paths.empty()) return value.on;
  return write(value.paths);
}
Json write(const SyncPolicy& value) {
  if (value.mode == SyncPolicy::Mode::kSeal) return "seal";
  if (value.mode == SyncPolicy::Mode::kBatch) return "batch";
  return duration_text(value.interval);
}

}  // namespace

bool within(const Bounds& bounds, std::int64_t number) {
  return (bounds.min == 0 && bounds.max == 0) || (number >= bounds.min && number <= bounds.max);
}

namespace {
// Its errors say which sink and which option. A secret has been taken out by resolve_ship(): one
// that comes this far would end in a list or in a file of everybody's.
Result<void> set_sinks(std::vector<SinkSpec>& out, const Json& value) {
  std::vector<ConfiguredSink> sinks = PMX_TRY(sinks_from_json(value));
  std::vector<SinkSpec> specs;
  for (ConfiguredSink& sink : sinks) {
    if (!sink.secret.empty())
      return invalid("sink " + sink.spec.name +
                     ": a secret must not stand here, it goes beside: ship_secrets");
    specs.push_back(std::move(sink.spec));
  }
  out = std::move(specs);
  return {};
}

// A sink's row of the same key reads, checks and prints it: one grammar for both copies of a line.
Result<void> set_redact(const Setting& row, RedactRules& out, const Json& value) {
  ConfiguredSink sink;
  sink.spec.redact = out;
  PMX_TRY(set_sink_option(*find_sink_option(row.key), sink, value));
  out = std::move(sink.spec.redact);
  return {};
}
Json get_redact(const Setting& row, const RedactRules& rules) {
  SinkSpec sink;
  sink.redact = rules;
  return get_sink_option(*find_sink_option(row.key), sink);
}
}  // namespace

bool has_word(std::string_view words, std::string_view word) {
  return !word.empty() &&
         (" " + std::string(words) + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

std::optional<bool> as_bool(const Json& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_string() && value.as_string() == "true") return true;
  if (value.is_string() && value.as_string() == "false") return false;
  return std::nullopt;
}

std::optional<std::int64_t> as_number(const Json& value) {
  if (value.is_integer()) return value.as_int();
  if (value.is_number() && value.as_double() == static_cast<double>(value.as_int()))
    return value.as_int();
  if (!value.is_string()) return std::nullopt;
  const Result<std::int64_t> parsed = parse_integer(value.as_string());
  return parsed ? std::optional(*parsed) : std::nullopt;
}

std::optional<std::vector<std::string>> as_words(const Json& value) {
  std::vector<std::string> words;
  if (value.is_string()) return split_words(value.as_string());
  if (value.is_object()) return std::nullopt;
  if (!value.is_array()) return std::vector{scalar_text(value)};
  for (const Json& item : value.items()) {
    if (item.is_array() || item.is_object()) return std::nullopt;
    words.push_back(scalar_text(item));
  }
  return words;
}

// What may be a pattern is said to be none before anything is started.
Result<void> check_ignore_watch(const Setting& setting, const Json& value) {
  for (const std::string& entry : as_words(value).value_or(std::vector<std::string>()))
    PMX_TRY_WITHIN(std::string(setting.key), supervisor::IgnoreRules::check(entry));
  return {};
}

Result<void> set_value(const Setting& setting, AppSpec& app, const Json& value) {
  if (setting.key == "ignore_watch") PMX_TRY(check_ignore_watch(setting, value));
  if (const auto* const sinks = std::get_if<FieldOf<std::vector<SinkSpec>>>(&setting.field))
    return set_sinks((*sinks)(app), value);
  if (const auto* const rules = std::get_if<FieldOf<RedactRules>>(&setting.field))
    return set_redact(setting, (*rules)(app), value);
  const bool allowed = std::visit(
      [&]<class T>(const T& field) {
        if constexpr (std::is_same_v<T, std::monostate> ||
                      std::is_same_v<T, FieldOf<std::vector<SinkSpec>>> ||
                      std::is_same_v<T, FieldOf<RedactRules>>) {
          return false;
        } else if constexpr (std::is_same_v<T, Plain>) {
          return is_plain(setting, field, value);
        } else {
          return read(setting, field(app), value);
        }
      },
      setting.field);
  if (!allowed) return not_allowed(setting, value);
  return {};
}

Json get_value(const Setting& setting, const AppSpec& app) {
  return std::visit(
      [&]<class T>(const T& field) -> Json {
        if constexpr (std::is_same_v<T, std::monostate> || std::is_same_v<T, Plain>) {
          return {};
        } else if constexpr (std::is_same_v<T, FieldOf<RedactRules>>) {
          return get_redact(setting, app.redact);
        } else {
          // One accessor serves both ways; this way only reads.
          return write(field(const_cast<AppSpec&>(app)));
        }
      },
      setting.field);
}

}  // namespace pmx::config
