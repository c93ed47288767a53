#include "base/json.h"

#include <nlohmann/json.hpp>

namespace pmx {
namespace {

using Ordered = nlohmann::ordered_json;

Json from(const Ordered& value) {
  switch (value.type()) {
    case Ordered::value_t::boolean:
      return value.get<bool>();
    case Ordered::value_t::number_integer:
    case Ordered::value_t::number_unsigned:
      return value.get<std::int64_t>();
    case Ordered::value_t::number_float:
      return value.get<double>();
    case Ordered::value_t::string:
      return value.get<std::string>();
    case Ordered::value_t::array: {
      Json::Array items;
      items.reserve(value.size());
      for (const auto& item : value) items.push_back(from(item));
      return items;
    }
    case Ordered::value_t::object: {
      Json::Object members;
      members.reserve(value.size());
      for (const auto& [key, member] : value.items()) members.emplace_back(key, from(member));
      return members;
    }
    default:
      return {};
  }
}

Ordered to(const Json& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_integer()) return value.as_int();
  if (value.is_number()) return value.as_double();
  if (value.is_string()) return value.as_string();
  if (value.is_array()) {
    Ordered items = Ordered::array();
    for (const Json& item : value.items()) items.push_back(to(item));
    return items;
  }
  if (value.is_object()) {
    // push_back and not operator[]: ordered_json looks each key up from the start, which is slow
    // for an environment of hundreds of variables, and set() has already made keys unique.
    Ordered members = Ordered::object();
    auto& storage = members.get_ref<Ordered::object_t&>();
    for (const auto& [key, member] : value.members()) storage.push_back({key, to(member)});
    return members;
  }
  return nullptr;
}

// Values are made, printed and destroyed by recursion: what a worker sends must not end us by its
// depth.
constexpr std::size_t kMaxNesting = 2000;

bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxNesting) return true;
    } else if (c == ']' || c == '}') {
      if (depth > 0) --depth;
    }
  }
  return false;
}

const std::string kNoString;
const Json::Array kNoItems;
const Json::Object kNoMembers;
const Json kNull;

}  // namespace

Result<Json> Json::parse(std::string_view text) {
  if (too_deep(text))
    return invalid("more than " + std::to_string(kMaxNesting) + " levels of brackets");
  try {
    return from(Ordered::parse(text));
  } catch (const nlohmann::json::exception& e) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: …": the reader wants the
    // end.
    const std::string_view what = e.what();
    const std::size_t bracket = what.find("] ");
    return invalid(
        std::string(bracket == std::string_view::npos ? what : what.substr(bracket + 2)));
  }
}

std::string Json::dump(int indent) const {
  return to(*this).dump(indent, ' ', false, Ordered::error_handler_t::replace);
}

bool Json::as_bool(bool other) const {
  const bool* value = std::get_if<bool>(&value_);
  return value ? *value : other;
}

std::int64_t Json::as_int(std::int64_t other) const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  if (const auto* value = std::get_if<double>(&value_)) return static_cast<std::int64_t>(*value);
  return other;
}

double Json::as_double(double other) const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  return other;
}

const std::string& Json::as_string() const {
  const auto* value = std::get_if<std::string>(&value_);
  return value ? *value : kNoString;
}

std::string Json::as_string_or(std::string_view other) const {
  return is_string() ? as_string() : std::string(other);
}

const Json::Array& Json::items() const {
  const auto* value = std::get_if<Array>(&value_);
  return value ? *value : kNoItems;
}

const Json::Object& Json::members() const {
  const auto* value = std::get_if<Object>(&value_);
  return value ? *value : kNoMembers;
}

const Json* Json::find(std::string_view key) const {
  for (const auto& [name, member] : members())
    if (name == key) return &member;
  return nullptr;
}

Json* Json::find(std::string_view key) {
  auto* const object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  for (auto& [name, member] : *object)
    if (name == key) return &member;
  return nullptr;
}

const Json& Json::operator[](std::string_view key) const {
  const Json* found = find(key);
  return found ? *found : kNull;
}

Json& Json::set(std::string_view key, Json value) {
  if (!is_object()) value_ = Object();
  auto& object = std::get<Object>(value_);
  for (auto& [name, member] : object)
    if (name == key) return member = std::move(value);
  return object.emplace_back(std::string(key), std::move(value)).second;
}

void Json::erase(std::string_view key) {
  if (auto* object = std::get_if<Object>(&value_))
    std::erase_if(*object, [key](const Member& member) { return member.first == key; });
}

void Json::push_back(Json value) {
  if (!is_array()) value_ = Array();
  std::get<Array>(value_).push_back(std::move(value));
}

}  // namespace pmx
