#include "ship/ecs_record.h"

#include <algorithm>
#include <array>

namespace pmx::ship {
namespace {

constexpr std::array<std::string_view, 11> kOurObjects{
    "log",   "event", "process",     "service", "service.node", "host",
    "agent", "ecs",   "data_stream", "labels",  "pmx"};

void skip_blanks(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
}

bool take(std::string_view& rest, char c) {
  skip_blanks(rest);
  if (rest.empty() || rest[0] != c) return false;
  rest.remove_prefix(1);
  skip_blanks(rest);
  return true;
}

// From behind the opening quote to behind the closing one.
bool skip_string(std::string_view& rest) {
  for (std::size_t at = 0; (at = rest.find_first_of("\"\\", at)) != rest.npos; at += 2) {
    if (rest[at] != '"') continue;
    rest.remove_prefix(at + 1);
    return true;
  }
  return false;
}

bool skip_nested(std::string_view& rest) {
  for (std::size_t depth = 0; !rest.empty();) {
    const std::size_t at = rest.find_first_of("\"{}[]");
    if (at == rest.npos) return false;
    const char c = rest[at];
    rest.remove_prefix(at + 1);
    if (c == '"') {
      if (!skip_string(rest)) return false;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (--depth == 0) {
      return true;
    }
  }
  return false;
}

bool skip_value(std::string_view& rest) {
  if (rest.empty()) return false;
  if (rest[0] == '{' || rest[0] == '[') return skip_nested(rest);
  if (rest[0] == '"') {
    rest.remove_prefix(1);
    return skip_string(rest);
  }
  const std::size_t end = rest.find_first_of(",} \t\r\n");
  if (end == 0 || end == rest.npos) return false;
  rest.remove_prefix(end);
  return true;
}

}  // namespace

EcsRecord::EcsRecord() {
  paths_.reserve(kMaxPathBytes);
  fields_.reserve(kMaxFields);
}

bool EcsRecord::add(std::string_view parent, std::string_view key) {
  if (fields_.size() == kMaxFields) return false;
  if (paths_.size() + parent.size() + 1 + key.size() > kMaxPathBytes) return false;
  const std::size_t begin = paths_.size();
  if (!parent.empty()) paths_.append(parent).push_back('.');
  paths_.append(key);
  fields_.push_back({std::string_view(paths_).substr(begin), false});
  return true;
}

// The depth is bounded by that of kOurObjects.
bool EcsRecord::read_object(std::string_view& rest, std::string_view parent) {
  if (!take(rest, '{')) return false;
  if (take(rest, '}')) return true;
  do {
    if (rest.empty() || rest[0] != '"') return false;
    const std::size_t end = rest.find_first_of("\"\\", 1);
    if (end == rest.npos || rest[end] == '\\') return false;
    if (!add(parent, rest.substr(1, end - 1))) return false;
    rest.remove_prefix(end + 1);
    if (!take(rest, ':') || rest.empty()) return false;
    Field& field = fields_.back();
    field.object = rest[0] == '{';
    const std::string_view path = field.path;
    const bool ours = field.object &&
                      std::find(kOurObjects.begin(), kOurObjects.end(), path) != kOurObjects.end();
    if (!(ours ? read_object(rest, path) : skip_value(rest))) return false;
  } while (take(rest, ','));
  return take(rest, '}');
}

bool EcsRecord::read(std::string_view object) {
  paths_.clear();
  fields_.clear();
  return read_object(object, {}) && object.empty();
}

bool EcsRecord::has(std::string_view path) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const Field& field) {
    if (!path.starts_with(field.path)) return false;
    return path.size() == field.path.size() || (!field.object && path[field.path.size()] == '.');
  });
}

}  // namespace pmx::ship
