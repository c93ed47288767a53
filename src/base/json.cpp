#include "base/json.h"

#include <simdjson.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <unordered_set>

namespace pmx {
namespace {

using Parser = nlohmann::json;

bool has_repeated_key(const Json::Object& members) {
  constexpr std::size_t kFew = 12;  // Compared one by one sooner than put into a set.
  if (members.size() <= kFew) {
    for (std::size_t i = 0; i < members.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (members[i].first == members[j].first) return true;
    return false;
  }
  std::unordered_set<std::string_view> keys;
  keys.reserve(members.size());
  return !std::all_of(members.begin(), members.end(),
                      [&](const Json::Member& member) { return keys.insert(member.first).second; });
}

// As JavaScript does: the first one's place, the last one's value.
void keep_last_of_each_key(Json::Object& members) {
  if (!has_repeated_key(members)) return;
  Json unique = Json::object();
  for (auto& [key, value] : members) unique.set(key, std::move(value));
  members = std::move(*unique.entries());
}

// Makes our values as the text is read: a document of nlohmann's in between takes as long again,
// and looks each key up from the start of its object.
class Builder final : public nlohmann::json_sax<Parser> {
 public:
  bool null() override { return put({}); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(std::int64_t value) override { return put(value); }
  bool number_unsigned(std::uint64_t value) override { return put(value); }
  bool number_float(double value, const std::string&) override { return put(value); }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(Parser::binary_t&) override { return false; }  // Not in JSON.
  bool start_object(std::size_t) override { return begin(Json::object()); }
  bool key(std::string& value) override {
    keys_.push_back(std::move(value));
    return true;
  }
  bool end_object() override {
    keep_last_of_each_key(*open_.back().entries());
    return end();
  }
  bool start_array(std::size_t) override { return begin(Json::array()); }
  bool end_array() override { return end(); }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    what_ = error.what();
    return false;
  }

  Json take() { return std::move(result_); }
  const std::string& what() const { return what_; }

 private:
  bool begin(Json value) {
    open_.push_back(std::move(value));
    return true;
  }
  bool end() {
    Json value = std::move(open_.back());
    open_.pop_back();
    return put(std::move(value));
  }
  bool put(Json value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (Json::Array* const items = open_.back().elements()) {
      items->push_back(std::move(value));
    } else {
      open_.back().entries()->emplace_back(std::move(keys_.back()), std::move(value));
      keys_.pop_back();
    }
    return true;
  }

  Json result_;
  std::vector<Json> open_;         // From the outermost to the innermost.
  std::vector<std::string> keys_;  // Whose values are still to come.
  std::string what_;
};

// Text that is written as it is, which is nearly all; the rest is nlohmann's to escape.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20U && byte < 0x7FU && c != '"' && c != '\\';
  });
}

class Writer {
 public:
  explicit Writer(int indent) : indent_(indent) {}

  void write(const Json& value, int depth) {
    if (value.is_string()) return string(value.as_string());
    if (value.is_array())
      return list(value.items(), depth, "[]", [&](const Json& item) { write(item, depth + 1); });
    if (value.is_object())
      return list(value.members(), depth, "{}", [&](const Json::Member& member) {
        string(member.first);
        out_ += indent_ < 0 ? ":" : ": ";
        write(member.second, depth + 1);
      });
    if (value.is_integer())
      out_ += std::to_string(value.as_int());
    else if (value.is_number())
      out_ += Parser(value.as_double()).dump();
    else
      out_ += value.is_null() ? "null" : value.as_bool() ? "true" : "false";
  }
  std::string take() { return std::move(out_); }

 private:
  void string(const std::string& text) {
    if (is_plain(text))
      ((out_ += '"') += text) += '"';
    else
      out_ += Parser(text).dump(-1, ' ', false, Parser::error_handler_t::replace);
  }
  template <class List, class One>
  void list(const List& parts, int depth, const char* brackets, const One& write_one) {
    out_ += brackets[0];
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) out_ += ',';
      new_line(depth + 1);
      write_one(parts[i]);
    }
    if (!parts.empty()) new_line(depth);
    out_ += brackets[1];
  }
  void new_line(int depth) {
    if (indent_ >= 0) out_.append("\n").append(static_cast<std::size_t>(indent_ * depth), ' ');
  }

  const int indent_;
  std::string out_;
};

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

namespace dom = simdjson::dom;

Json value_of(const dom::element& element) {
  switch (element.type()) {
    case dom::element_type::NULL_VALUE:
      break;
    case dom::element_type::BOOL:
      return element.get_bool().value_unsafe();
    case dom::element_type::INT64:
      return element.get_int64().value_unsafe();
    case dom::element_type::UINT64:
      return element.get_uint64().value_unsafe();
    case dom::element_type::DOUBLE:
      return element.get_double().value_unsafe();
    case dom::element_type::STRING:
      return element.get_string().value_unsafe();
    case dom::element_type::ARRAY: {
      const dom::array array = element.get_array().value_unsafe();
      Json::Array items;
      for (const dom::element item : array) items.push_back(value_of(item));
      return items;
    }
    case dom::element_type::OBJECT: {
      const dom::object object = element.get_object().value_unsafe();
      Json::Object members;
      for (const auto [key, member] : object) members.emplace_back(key, value_of(member));
      keep_last_of_each_key(members);
      return members;
    }
  }
  return {};
}

// simdjson reads nearly all there is, in a quarter of the time. What it refuses is nlohmann's,
// which takes a thousand levels more, and whose errors say where they are.
std::optional<Json> parsed_quickly(std::string_view text) {
  if (text.empty()) return {};  // It would be copied from nowhere.
  dom::parser parser;
  dom::element document;
  if (parser.parse(text.data(), text.size()).get(document) != simdjson::SUCCESS) return {};
  return value_of(document);
}

const std::string kNoString;
const Json::Array kNoItems;
const Json::Object kNoMembers;
const Json kNull;

}  // namespace

Result<Json> Json::parse(std::string_view text) {
  if (too_deep(text))
    return invalid("more than " + std::to_string(kMaxNesting) + " levels of brackets");
  if (std::optional<Json> quickly = parsed_quickly(text)) return *std::move(quickly);
  Builder builder;
  if (Parser::sax_parse(text, &builder)) return builder.take();
  // "[json.exception.parse_error.101] parse error at line 1, column 2: …": the reader wants the
  // end.
  const std::string_view what = builder.what();
  const std::size_t bracket = what.find("] ");
  return invalid(std::string(bracket == std::string_view::npos ? what : what.substr(bracket + 2)));
}

std::string Json::dump(int indent) const {
  Writer writer(indent);
  writer.write(*this, 0);
  return writer.take();
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
