// How each type of a sink's option is read, checked and printed: the half of sink_options.h that
// knows values. A value comes from JSON, YAML or a URL's query, so a number may be text.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "base/units.h"
#include "config/internal/pattern.h"
#include "config/internal/value_text.h"
#include "config/sink_options.h"

namespace pmx::config {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLongestName = 64;
constexpr std::array<std::string_view, 4> kAuthNames{"none", "basic", "bearer", "api_key"};
// Ours to set, or a secret that would be shown.
constexpr std::array<std::string_view, 8> kReservedHeaders{
    "authorization", "cookie",           "host",          "content-length",
    "content-type",  "content-encoding", "x-scope-orgid", "transfer-encoding"};

bool is_scalar(const Json& value) { return !value.is_array() && !value.is_object(); }

// Nothing that could end a header, a path or a line.
bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool is_name(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           more.find(c) != std::string_view::npos;
  });
}

// Elasticsearch's rule for names, with our placeholders and dates taken out.
bool is_index(std::string_view text) {
  std::string rest(text);
  for (const std::string_view mark : {"{app}", "{namespace}", "{env}", "%Y", "%m", "%d", "%H"})
    for (std::size_t at = rest.find(mark); at != std::string::npos; at = rest.find(mark))
      rest.replace(at, mark.size(), "0");
  return !rest.empty() && std::string_view("-_+.").find(rest.front()) == std::string_view::npos &&
         std::none_of(rest.begin(), rest.end(), [](char c) {
           return std::isupper(static_cast<unsigned char>(c)) != 0 ||
                  std::string_view("\\/*?\"<>| ,#%{}:").find(c) != std::string_view::npos;
         });
}

std::optional<std::string> fingerprint(std::string_view text) {
  std::string digits = lower(text);
  std::erase(digits, ':');
  const bool hex = std::all_of(digits.begin(), digits.end(), [](char c) {
    return std::isxdigit(static_cast<unsigned char>(c)) != 0;
  });
  if (!hex || digits.size() != 64) return std::nullopt;
  return digits;
}

// One overload a type: true when `value` was allowed and is now in `out`.
bool read(const SinkOption& row, std::string& out, const Json& value) {
  if (!is_scalar(value)) return false;
  std::string text = scalar_text(value);
  if (!is_printable(text)) return false;
  if (!row.words.empty() && !has_word(row.words, text)) return false;
  if (row.key == "name" && (!is_name(text, "._-") || text.size() > kLongestName)) return false;
  if (row.key == "index" && !is_index(text)) return false;
  if (row.key == "auth.user" && text.find(':') != std::string::npos) return false;  // RFC 7617.
  if (row.key == "tls.ca_fingerprint") {
    auto digits = fingerprint(text);
    if (!digits) return false;
    text = std::move(*digits);
  }
  out = std::move(text);
  return true;
}

bool read(const SinkOption&, bool& out, const Json& value) {
  const auto said = as_bool(value);
  if (said) out = *said;
  return said.has_value();
}

bool read(const SinkOption& row, double& out, const Json& value) {
  const std::string text = scalar_text(value);
  double number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!is_scalar(value) || end.ec != std::errc() || end.ptr != text.data() + text.size())
    return false;
  // Written so that NaN is refused too.
  if (!(number >= static_cast<double>(row.bounds.min) &&
        number <= static_cast<double>(row.bounds.max)))
    return false;
  out = number;
  return true;
}

template <class Integer>
bool read_count(const SinkOption& row, Integer& out, const Json& value) {
  const auto number = has_word(row.words, scalar_text(value)) ? 0 : as_number(value);
  const bool off = number == 0 && !row.words.empty();
  if (!number || !(off || within(row.bounds, *number))) return false;
  out = static_cast<Integer>(*number);
  return true;
}
bool read(const SinkOption& row, std::uint32_t& out, const Json& value) {
  return read_count(row, out, value);
}
bool read(const SinkOption& row, CountField field, SinkSpec& spec, const Json& value) {
  return read_count(row, field.of(spec), value);
}

bool read(const SinkOption& row, SizeField field, SinkSpec& spec, const Json& value) {
  const auto size = parse_size(scalar_text(value));
  if (!size || !is_scalar(value)) return false;
  if (*size > static_cast<std::uint64_t>(row.bounds.max)) return false;
  if (*size < static_cast<std::uint64_t>(row.bounds.min)) return false;
  field.of(spec) = *size;
  return true;
}

bool read(const SinkOption& row, milliseconds& out, const Json& value) {
  const auto time = parse_duration(scalar_text(value));
  if (!time || !is_scalar(value) || !within(row.bounds, time->count())) return false;
  out = *time;
  return true;
}

// Added to what is there: labels in a URL come one by one.
bool read(const SinkOption& row, std::map<std::string, std::string>& out, const Json& value) {
  if (!value.is_object()) return false;
  const bool headers = row.key == "headers";
  for (const auto& [name, item] : value.members()) {
    const std::string text = scalar_text(item);
    if (!is_scalar(item) || !is_printable(text)) return false;
    if (!is_name(name, headers ? "-_." : "_")) return false;
    const bool taken = std::find(kReservedHeaders.begin(), kReservedHeaders.end(), lower(name)) !=
                       kReservedHeaders.end();
    if (headers && taken) return false;
    // A label that begins with a digit or __ is none for Loki.
    if (!headers && (std::isdigit(static_cast<unsigned char>(name[0])) || name.starts_with("__")))
      return false;
    out[name] = text;
  }
  return true;
}

bool read(const SinkOption&, SinkAuth::Kind& out, const Json& value) {
  const auto* const name = std::find(kAuthNames.begin(), kAuthNames.end(), value.as_string());
  if (name == kAuthNames.end()) return false;
  out = static_cast<SinkAuth::Kind>(name - kAuthNames.begin());
  return true;
}

bool read(const SinkOption&, std::optional<StreamKind>& out, const Json& value) {
  if (value.as_string() == "out" || value.as_string() == "stdout")
    out = StreamKind::kOut;
  else if (value.as_string() == "err" || value.as_string() == "stderr")
    out = StreamKind::kErr;
  else
    return false;
  return true;
}

bool read(const SinkOption&, std::optional<Severity>& out, const Json& value) {
  const auto level = parse_severity(value.as_string());
  if (level) out = level;
  return level.has_value();
}

bool read(const SinkOption&, Severity& out, const Json& value) {
  const auto level = parse_severity(value.as_string());
  if (level) out = *level;
  return level.has_value();
}

bool read(const SinkOption&, NamesField field, SinkSpec& spec, const Json& value) {
  Json list = value;
  if (value.is_string()) {
    std::string text = value.as_string();
    std::replace(text.begin(), text.end(), ',', ' ');
    list = text;
  }
  auto names = as_words(list);
  if (!names) return false;
  for (const std::string& name : *names)
    if (name.empty() || !is_printable(name)) return false;
  field.of(spec) = std::move(*names);
  return true;
}

Json write(const std::string& value) { return value.empty() ? Json() : Json(value); }
Json write(const bool& value) { return value; }
Json write(const double& value) { return value; }
Json write(const std::uint32_t& value) { return value; }
Json write(const milliseconds& value) { return duration_text(value); }
Json write(const std::map<std::string, std::string>& value) {
  if (value.empty()) return {};
  Json::Object members;
  for (const auto& [name, text] : value) members.emplace_back(name, text);
  return members;
}
Json write(const std::vector<std::string>& value) {
  return value.empty() ? Json() : Json(Json::Array(value.begin(), value.end()));
}
Json write(const SinkAuth::Kind& value) {
  if (value == SinkAuth::Kind::kNone) return {};
  return kAuthNames[static_cast<std::size_t>(value)];
}
Json write(const std::optional<StreamKind>& value) {
  return value ? Json(name_of(*value)) : Json();
}
Json write(const std::optional<Severity>& value) { return value ? Json(name_of(*value)) : Json(); }
Json write(const Severity& value) { return name_of(value); }

// ---- What has an error of its own.

Error not_allowed(const SinkOption& option, const Json& value) {
  // A header's value may be a token.
  if (option.key == "headers")
    return invalid("headers: what is given is not allowed: " + allowed_text(option));
  return invalid(std::string(option.key) + ": " + value.dump() +
                 " is not allowed: " + allowed_text(option));
}

Result<void> check_pattern(const SinkOption& option, const std::string& pattern) {
  const auto wrong = pattern_error(pattern);
  if (!wrong) return {};
  return invalid(std::string(option.key) + ": " + Json(pattern).dump() +
                 " is no pattern of RE2: " + *wrong);
}

Result<void> set_patterns(const SinkOption& option, PatternsField field, SinkSpec& spec,
                          const Json& value) {
  const Json::Array items = value.is_array() ? value.items() : Json::Array{value};
  std::vector<std::string> patterns;
  for (const Json& item : items) {
    if (!item.is_string() || item.as_string().empty()) return not_allowed(option, value);
    PMX_TRY(check_pattern(option, item.as_string()));
    patterns.push_back(item.as_string());
  }
  field.of(spec) = std::move(patterns);
  return {};
}

Result<void> set_pattern_map(const SinkOption& option, PatternMapField field, SinkSpec& spec,
                             const Json& value) {
  if (!value.is_object()) return not_allowed(option, value);
  for (const auto& [name, item] : value.members()) {
    if (!item.is_string() || name.empty()) return not_allowed(option, value);
    PMX_TRY(check_pattern(option, item.as_string()));
    field.of(spec)[name] = item.as_string();
  }
  return {};
}

Result<void> set_secret(const SinkOption& option, SecretField field, ConfiguredSink& sink,
                        const Json& value) {
  const std::string text = scalar_text(value);
  // The value is not shown, not even where it is wrong.
  if (!is_scalar(value) || text.empty() || !is_printable(text))
    return invalid(std::string(option.key) +
                   ": what is given is not allowed: " + allowed_text(option) + ", and not empty");
  if (field.from == SecretField::From::kEnvironment) {
    if (!is_name(text, "_")) return not_allowed(option, value);
    sink.spec.auth.secret_env = text;
  } else if (field.from == SecretField::From::kFile) {
    sink.spec.auth.secret_file = text;
  } else {
    sink.secret = text;
  }
  return {};
}

}  // namespace

Result<void> set_sink_option(const SinkOption& option, ConfiguredSink& sink, const Json& value) {
  return std::visit(
      [&]<class T>(const T& field) -> Result<void> {
        bool allowed = false;
        if constexpr (std::is_same_v<T, SecretField>) {
          return set_secret(option, field, sink, value);
        } else if constexpr (std::is_same_v<T, PatternsField>) {
          return set_patterns(option, field, sink.spec, value);
        } else if constexpr (std::is_same_v<T, PatternMapField>) {
          return set_pattern_map(option, field, sink.spec, value);
        } else if constexpr (std::is_pointer_v<T>) {
          allowed = read(option, field(sink.spec), value);
        } else if constexpr (!std::is_same_v<T, AddressField>) {
          allowed = read(option, field, sink.spec, value);
        }
        if (!allowed) return not_allowed(option, value);
        return {};
      },
      option.field);
}

Json get_sink_option(const SinkOption& option, const SinkSpec& spec) {
  // One accessor serves both ways; this way only reads.
  SinkSpec& readable = const_cast<SinkSpec&>(spec);
  return std::visit(
      [&]<class T>(const T& field) -> Json {
        if constexpr (std::is_same_v<T, AddressField>) {
          return {};
        } else if constexpr (std::is_same_v<T, SecretField>) {
          if (field.kind != spec.auth.kind) return {};
          if (field.from == SecretField::From::kEnvironment) return write(spec.auth.secret_env);
          if (field.from == SecretField::From::kFile) return write(spec.auth.secret_file);
          return {};
        } else if constexpr (std::is_same_v<T, SizeField>) {
          return size_text(field.of(readable));
        } else if constexpr (std::is_same_v<T, CountField>) {
          return field.of(readable);
        } else if constexpr (std::is_pointer_v<T>) {
          return write(field(readable));
        } else {
          return write(field.of(readable));
        }
      },
      option.field);
}

}  // namespace pmx::config
