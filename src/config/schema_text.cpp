// What the table says in words: the values that a row allows, its default, words split as PM2
// splits.
#include <algorithm>
#include <array>

#include "config/internal/value_text.h"
#include "config/schema.h"
#include "config/sink_options.h"

namespace pmx::config {
namespace {

using std::chrono::milliseconds;

struct AllowedText {
  const Setting& row;
  std::string number(std::string_view what) const {
    return between(what, std::to_string(row.bounds.min), std::to_string(row.bounds.max), row.words);
  }
  std::string operator()(std::monostate) const { return "not checked"; }
  std::string operator()(Plain type) const {
    switch (type) {
      case Plain::kFlag:
        return "true or false";
      case Plain::kFlagOrText:
        return "true, false or text";
      case Plain::kFlagOrWords:
        return "a name, a list of names, true or false";
      case Plain::kNumber:
        return number("a number");
      case Plain::kText:
        return "text";
      case Plain::kWords:
        return "a list, or text that is split at spaces";
    }
    return "";
  }
  std::string operator()(FieldOf<std::string>) const {
    if (row.key == "rotate.every") return "hour, day, off or a cron pattern of five or six fields";
    if (row.key == "cron_restart")
      return "a cron pattern of five or six fields, @hourly or one of its siblings, or 0 (none)";
    if (row.key == "health.path") return "a path that begins with /, or false";
    if (row.key == "health.expect")
      return "a status from 100 to 599, text, or a /regular expression/";
    if (row.key == "log_type") return "json or raw";
    if (!row.words.empty()) return "one of " + listed(row.words);
    return row.key == "log_file" ? "a path, true or false" : "text";
  }
  std::string operator()(FieldOf<bool>) const { return "true or false"; }
  std::string operator()(FieldOf<std::optional<bool>>) const { return "true or false"; }
  std::string operator()(FieldOf<std::int64_t>) const { return number("a number"); }
  std::string operator()(FieldOf<std::uint32_t>) const { return number("a number"); }
  std::string operator()(FieldOf<int>) const { return number("a number"); }
  std::string operator()(FieldOf<std::uint64_t>) const {
    return between("a size", size_text(static_cast<std::uint64_t>(row.bounds.min)),
                   size_text(static_cast<std::uint64_t>(row.bounds.max)), row.words);
  }
  std::string operator()(FieldOf<milliseconds>) const {
    return between("a duration", duration_text(milliseconds(row.bounds.min)),
                   duration_text(milliseconds(row.bounds.max)), row.words);
  }
  std::string operator()(FieldOf<std::vector<std::string>>) const {
    if (row.key == "listen")
      return "up to 16 of a port, an address with a port, unix:/path, each with name= before it or "
             "as {name, address}";
    return "a list, or text that is split at spaces";
  }
  std::string operator()(FieldOf<std::vector<int>>) const {
    return "numbers from " + std::to_string(row.bounds.min) + " to " +
           std::to_string(row.bounds.max);
  }
  std::string operator()(FieldOf<std::map<std::string, std::string>>) const {
    return "names and values";
  }
  std::string operator()(FieldOf<Compression>) const {
    return "zstd, gzip (or true), none (or false)";
  }
  std::string operator()(FieldOf<WhenFull>) const { return "drop or block"; }
  std::string operator()(FieldOf<SyncPolicy>) const {
    return "seal, batch or an interval from " + duration_text(milliseconds(row.bounds.min)) +
           " to " + duration_text(milliseconds(row.bounds.max));
  }
  std::string operator()(FieldOf<std::vector<SinkSpec>>) const {
    return "a URL, an object of options or a list of them; false or none";
  }
  std::string operator()(FieldOf<WatchPolicy>) const { return "true, false, a path or a list"; }
  std::string operator()(FieldOf<RedactRules>) const {
    return allowed_text(*find_sink_option(row.key));
  }
};

}  // namespace

std::string listed(std::string_view words) {
  std::string out;
  for (const char c : words) out += c == ' ' ? std::string(", ") : std::string(1, c);
  return out;
}

std::string between(std::string_view what, const std::string& min, const std::string& max,
                    std::string_view zero_word) {
  std::string text = std::string(what) + " from " + min + " to " + max;
  if (!zero_word.empty()) text += ", or 0 (" + std::string(zero_word) + ")";
  return text;
}

std::string scalar_text(const Json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.as_string() : value.dump();
}

std::string size_text(std::uint64_t size_bytes) {
  constexpr std::string_view kUnits = "KMGT";
  std::string unit;
  for (std::size_t i = 0; i < kUnits.size() && size_bytes != 0 && size_bytes % 1024 == 0; ++i) {
    size_bytes /= 1024;
    unit = kUnits[i];
  }
  return std::to_string(size_bytes) + unit;
}

std::string duration_text(milliseconds time) {
  struct Unit {
    std::int64_t ms;
    const char* name;
  };
  constexpr std::array kUnits{Unit{86'400'000, "d"}, Unit{3'600'000, "h"}, Unit{60'000, "m"},
                              Unit{1000, "s"}};
  for (const Unit& unit : kUnits)
    if (time.count() != 0 && time.count() % unit.ms == 0)
      return std::to_string(time.count() / unit.ms) + unit.name;
  return std::to_string(time.count()) + "ms";
}

std::string allowed_text(const Setting& setting) {
  return std::visit(AllowedText{setting}, setting.field);
}

std::string default_text(const Setting& setting) {
  const AppSpec app;
  if (const auto* size = std::get_if<FieldOf<std::uint64_t>>(&setting.field)) {
    const std::uint64_t bytes = (*size)(const_cast<AppSpec&>(app));
    return bytes == 0 ? std::string(setting.words) : size_text(bytes);
  }
  if (const auto* time = std::get_if<FieldOf<milliseconds>>(&setting.field)) {
    const milliseconds value = (*time)(const_cast<AppSpec&>(app));
    return value.count() == 0 && !setting.words.empty() ? std::string(setting.words)
                                                        : duration_text(value);
  }
  const Json value = get_value(setting, app);
  if (value.is_integer() && value.as_int() == 0 && !setting.words.empty())
    return std::string(setting.words);
  if (value.is_array() || value.is_object()) return "";
  if (setting.key == "exec_interpreter") return "";  // By the script's ending.
  return scalar_text(value);
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (const char c : text) {
    if (quote != '\0') {
      if (c == quote)
        quote = '\0';
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;  // "" is a word too.
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace pmx::config
