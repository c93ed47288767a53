// The table of every setting of an app: one row each, in schema.cpp, and nowhere else. From it come
// the loader, the checks, the command line's options, aliases, suggestions and docs/SETTINGS.md.
//
// Invariants: keys and aliases are unique; a row of role kApp has a field, the others have none; a
//             row without field and Plain type is not checked.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/app_spec.h"

namespace pmx::config {

// Where a row's value lives. The type says how it is written, checked and printed: std::int64_t is
// a number, std::uint32_t a count, std::uint64_t a size, std::vector<std::string> words,
// RedactRules what the sink's option of the same key is.
// A Plain value has no field: it is checked, then used up or kept as it was written.
enum class Plain : std::uint8_t { kFlag, kFlagOrText, kFlagOrWords, kNumber, kText, kWords };
template <class T>
using FieldOf = T& (*)(AppSpec&);
using Field =
    std::variant<std::monostate, FieldOf<std::string>, FieldOf<bool>, FieldOf<std::optional<bool>>,
                 FieldOf<std::int64_t>, FieldOf<std::uint32_t>, FieldOf<int>,
                 FieldOf<std::uint64_t>, FieldOf<std::chrono::milliseconds>,
                 FieldOf<std::vector<std::string>>, FieldOf<std::vector<int>>,
                 FieldOf<std::map<std::string, std::string>>, FieldOf<Compression>,
                 FieldOf<WhenFull>, FieldOf<SyncPolicy>, FieldOf<std::vector<SinkSpec>>,
                 FieldOf<RedactRules>, FieldOf<WatchPolicy>, Plain>;

enum class Role : std::uint8_t {
  kApp,     // Fills a field of AppSpec.
  kLoader,  // Used up while the app is resolved (resolve_app.h).
  kLater,   // PM2's, kept in AppSpec.other and shown; has no effect, which is said.
  kMoot,    // The same, but whatever it says is so already: nobody needs to be told.
};

struct Bounds {
  std::int64_t min = 0;
  std::int64_t max = 0;  // 0 and 0: no bounds.
};

struct Setting {
  std::string_view key;  // PM2's canonical name; "rotate.…" inside `rotate`, as `redact`.
  std::string_view
      aliases;  // Separated by spaces. The camelCase of key and aliases is understood too.
  std::string_view options;  // "-n,--name"; "" where the command line has none.
  std::string_view value;    // "<name>" needed, "[path]" optional, "<a...>" repeatable, "" a flag.
  Role role = Role::kApp;
  Field field;
  Bounds bounds;
  std::string_view words;  // What else is allowed: "fork cluster", or the word for 0, as "all".
  std::string_view help;
};

std::span<const Setting> settings();
// By key, alias or the camelCase of one; "rotate.max_size" and "rotate.maxSize" as well.
const Setting* find_setting(std::string_view name);
std::vector<std::string_view> setting_names();  // Keys and aliases, for suggestions.
// All that a setting may be called: its key, its aliases in their order, the camelCase of each.
std::vector<std::string> names_of(const Setting& setting);

// Sets one value, checked. The error: `rotate.max_size: "10Q" is not allowed: a size from …`.
Result<void> set_value(const Setting& setting, AppSpec& app, const Json& value);
Json get_value(const Setting& setting, const AppSpec& app);
std::string allowed_text(const Setting& setting);  // "a size from 1K to 1024G, or 0 (off)"
std::string default_text(
    const Setting& setting);  // As a user would write it; "" where there is none.

// "a 'b c' \"d\"" → three words, as PM2 splits a list that is given as one string.
std::vector<std::string> split_words(std::string_view text);
// "out_file" → "outFile"
std::string camel_case(std::string_view key);

}  // namespace pmx::config
