// A sink as a user says it: one URL, or an object of options. sink_options.h is the table.
//
// Errors: one line that says which sink, which option, which value and what is allowed; unknown
//         options name the nearest. No error and no warning ever shows a secret.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/sink_options.h"
#include "model/sink_spec.h"

namespace pmx::config {

using SinkSecrets = std::map<std::string, std::string>;  // By sink_id().

// loki+http(s)://[user[:password]@]host[:port][/path][?option=value&…]
Result<ConfiguredSink> sink_from_text(std::string_view url);
Result<ConfiguredSink> sink_from_json(const Json& written);  // A URL or an object.
// Canonical: what sink_from_json() reads back to the same spec. Never has a secret.
Json sink_to_json(const SinkSpec& spec);

// What `ship` may be: text of one URL or several, an object, a list of both; false or "none" is no
// sink at all. Two that are the same sink are an error.
Result<std::vector<ConfiguredSink>> sinks_from_json(const Json& written);
Json sinks_to_json(const std::vector<SinkSpec>& specs);
// The same for people: URLs with blanks between, or JSON where a URL cannot say it all; "none".
std::string sinks_text(const std::vector<SinkSpec>& specs);

// The way of secrets from the CLI to the daemon, beside an app: {"<sink id>": "<secret>"}.
Json secrets_to_json(const SinkSecrets& secrets);
Result<SinkSecrets> secrets_from_json(const Json& json);  // null is none.

// "a b,c" as URLs; a comma within one ends it only where another URL begins.
std::vector<std::string> split_urls(std::string_view text);

}  // namespace pmx::config
