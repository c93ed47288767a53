// JsonReader against simdjson's DOM: the same lines are objects, and top-level values are the same.
// What DOM refuses though it is JSON (numbers out of range, half surrogates) is left out.
#include <simdjson.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "ship/json_fields.h"

namespace {

[[noreturn]] void fail(const std::string& what, std::string_view line) {
  std::fprintf(stderr, "%s: %.*s\n", what.c_str(), static_cast<int>(line.size()), line.data());
  std::abort();
}

void check_views(const pmx::ship::JsonFields& fields, std::string_view line) {
  for (const std::string_view text :
       {fields.message, fields.trace_id, fields.span_id, fields.logger, fields.error_type,
        fields.error_message, fields.error_stack})
    if (text.size() > line.size() || !simdjson::validate_utf8(text.data(), text.size()))
      fail("a field is no text", line);
}

void check_values(pmx::ship::JsonReader& reader, const simdjson::dom::object& object,
                  std::string_view line) {
  std::set<std::string_view> seen;
  for (const auto& [key, value] : object) {
    if (!seen.insert(key).second) continue;  // Of the same key the first one counts.
    const auto read = reader.value(key);
    const bool scalar = !value.is_object() && !value.is_array() && !value.is_null();
    if (read.has_value() != scalar) fail("value() of \"" + std::string(key) + "\"", line);
    std::string_view text;
    if (value.is_string() && value.get(text) == simdjson::SUCCESS && read != text)
      fail("the text of \"" + std::string(key) + "\"", line);
    if (value.is_bool() && read != (value.get_bool().value_unsafe() ? "true" : "false"))
      fail("the truth of \"" + std::string(key) + "\"", line);
    std::int64_t number = 0;
    if (value.is_int64() && value.get(number) == simdjson::SUCCESS && read != "-0" &&
        read != std::to_string(number))
      fail("the number of \"" + std::string(key) + "\"", line);
  }
}

void check_line(std::string_view line) {
  const simdjson::padded_string padded(line);
  const std::string_view text(padded.data(), padded.size());
  pmx::ship::JsonReader reader;
  const pmx::ship::JsonFields& fields = reader.read(text);
  check_views(fields, line);
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  const auto error = parser.parse(padded).get_object().get(object);
  if (error == simdjson::SUCCESS && !fields.is_object) fail("an object is not seen", line);
  if (error == simdjson::SUCCESS) return check_values(reader, object, line);
  const bool only_dom = error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR;
  if (fields.is_object && !only_dom) fail("no object is taken for one", line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  std::string_view rest(reinterpret_cast<const char*>(data), size_bytes);
  check_line(rest);
  while (!rest.empty()) {
    const std::size_t newline = std::min(rest.find('\n'), rest.size());
    check_line(rest.substr(0, newline));
    rest.remove_prefix(std::min(newline + 1, rest.size()));
  }
  return 0;
}
