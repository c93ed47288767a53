// A JSON value: what the API, the roster and the command line speak. Objects keep the order in
// which their keys were added, because PM2's users read jlist by eye. The parser behind it is
// nlohmann's, which only json.cpp includes (one unit that includes it costs seconds to build).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace pmx {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(std::int64_t{value}) {}
  Json(long value) : value_(std::int64_t{value}) {}
  Json(long long value) : value_(std::int64_t{value}) {}
  Json(unsigned value) : value_(std::int64_t{value}) {}
  Json(unsigned long value) : value_(static_cast<std::int64_t>(value)) {}
  Json(unsigned long long value) : value_(static_cast<std::int64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  static Json array() { return Json(Array()); }
  static Json object() { return Json(Object()); }
  static Json object(std::initializer_list<Member> members) { return Json(Object(members)); }

  // The error says line and column. At most 2,000 levels deep.
  static Result<Json> parse(std::string_view text);
  std::string dump(int indent = -1) const;  // Invalid UTF-8 becomes U+FFFD.

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  bool as_bool(bool other = false) const;
  std::int64_t as_int(std::int64_t other = 0) const;  // Doubles are cut.
  double as_double(double other = 0) const;
  const std::string& as_string() const;  // "" where it is none.
  std::string as_string_or(std::string_view other) const;
  const Array& items() const;     // Empty where it is none.
  const Object& members() const;  // Empty where it is none.

  const Json* find(std::string_view key) const;              // nullptr where missing.
  Json* find(std::string_view key);                          // To change it in its place.
  Array* elements() { return std::get_if<Array>(&value_); }  // The same; nullptr where it is none.
  Object* entries() { return std::get_if<Object>(&value_); }
  const Json& operator[](std::string_view key) const;  // null where missing.
  Json& set(std::string_view key,
            Json value);  // Makes an object of null; replaces. Returns the value.
  void erase(std::string_view key);
  void push_back(Json value);  // Makes an array of null.
  bool operator==(const Json&) const = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

}  // namespace pmx
