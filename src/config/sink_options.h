// The table of every option of a sink: one row each, in sink_options.cpp, and nowhere else. From it
// come the reader of URLs and objects, the checks, the way back to JSON, suggestions and the
// section "Shipping" of docs/SETTINGS.md.
//
// Invariants: keys are unique; a dotted key stands inside an object ("filter.level" in `filter`).
#pragma once

#include <chrono>
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
#include "config/schema.h"
#include "model/sink_spec.h"

namespace pmx::config {

// One sink as it was said: the spec, and beside it what no spec may hold.
struct ConfiguredSink {
  SinkSpec spec;
  std::string secret;  // "": none, or it is where spec.auth.secret_env or secret_file say.
  std::vector<std::string> warnings;  // One line each.
};

template <class T>
using SinkFieldOf = T& (*)(SinkSpec&);
// Wrapped where two options of one type are written in different ways.
struct SizeField {
  SinkFieldOf<std::uint64_t> of;
};
struct CountField {
  SinkFieldOf<std::uint64_t> of;
};
struct NamesField {  // A list, or text: "a,b c" is three names.
  SinkFieldOf<std::vector<std::string>> of;
};
struct PatternsField {  // A list, or text: one pattern of RE2, whatever is in it.
  SinkFieldOf<std::vector<std::string>> of;
};
struct PatternMapField {  // Names and patterns of RE2.
  SinkFieldOf<std::map<std::string, std::string>> of;
};
struct SecretField {
  SinkAuth::Kind kind;
  enum class From : std::uint8_t { kGiven, kEnvironment, kFile } from;
};
struct AddressField {};  // `type`, `url`, `urls`: sink_config.cpp reads them together.

using SinkField =
    std::variant<AddressField, SinkFieldOf<std::string>, SinkFieldOf<bool>, SinkFieldOf<double>,
                 SinkFieldOf<std::uint32_t>, SinkFieldOf<std::chrono::milliseconds>,
                 SinkFieldOf<std::map<std::string, std::string>>, SinkFieldOf<SinkAuth::Kind>,
                 SinkFieldOf<std::optional<StreamKind>>, SinkFieldOf<std::optional<Severity>>,
                 SinkFieldOf<Severity>, SizeField, CountField, NamesField, PatternsField,
                 PatternMapField, SecretField>;

struct SinkOption {
  std::string_view key;
  unsigned stores;  // One bit a SinkType: who understands it.
  SinkField field;
  Bounds bounds;           // Durations in milliseconds.
  std::string_view words;  // What is allowed, where that is a few words.
  std::string_view help;
};

std::span<const SinkOption> sink_options();
// By key or the camelCase of it; in a URL's query (`short_form`) also by the last part of a key
// where only one has it: "level" is "filter.level".
enum class SinkKey : std::uint8_t { kFull, kShort };
const SinkOption* find_sink_option(std::string_view name, SinkKey spelled = SinkKey::kFull);
std::vector<std::string_view> sink_option_names();
bool is_for(const SinkOption& option, SinkType type);
std::string stores_text(const SinkOption& option);  // "loki, victorialogs"; "all".

// Sets one option, checked. The error: `filter.level: "loud" is not allowed: trace, debug, …`. The
// value of a secret is never in it.
Result<void> set_sink_option(const SinkOption& option, ConfiguredSink& sink, const Json& value);
// null where there is nothing to say: an empty list, another kind of secret, a secret itself.
Json get_sink_option(const SinkOption& option, const SinkSpec& spec);
std::string allowed_text(const SinkOption& option);
std::string default_text(const SinkOption& option);

}  // namespace pmx::config
