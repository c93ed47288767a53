// Stage 1 of simdjson finds the tokens, internal/json_walk.h checks them and keeps the top-level
// members, and a table says which of these are wanted. Stage 1 alone is reached through members of
// simdjson that it calls internal; they have been there since 1.0, and its On-Demand needs them.
//
// ns a line (-O2, one core, best of 60), pino's of 210 bytes with 9 members, one of them an object:
//   stage 1 41, with the walk 113, read() 162; DOM without looking at its members 136
// winston's of 217 bytes with escapes and an ISO time: read() 199. A line that is no object: 14.
#include "ship/json_fields.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "ship/internal/json_keys.h"
#include "ship/internal/json_walk.h"
#include "ship/internal/time_value.h"

namespace pmx::ship {
namespace {

using internal::JsonKey;
using internal::JsonSlot;

constexpr std::size_t kMaxLineBytes = 1U << 20U;
constexpr std::size_t kUsualLineBytes = 64U << 10U;  // Buffers for more are given back.

std::string_view trimmed(std::string_view line) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  return line;
}

// Libraries write zeros where there is no span.
bool is_id(std::string_view text) { return text.find_first_not_of("0-") != std::string_view::npos; }

}  // namespace

struct JsonReader::Impl {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1;
  std::size_t capacity_bytes = 0;
  internal::JsonWalk walk;
  internal::LocalZone zone;
  std::string unescaped;  // Never grows while there are views into it.
  bool read_whole = false;

  // What has been found for each slot, and from which key; kNothing: its text is an older line's.
  static constexpr std::uint8_t kNothing = 255;
  std::array<std::string_view, internal::kJsonSlots> texts;
  std::array<std::uint8_t, internal::kJsonSlots> ranks;
  std::optional<std::int64_t> time_ns;
  bool at_timestamp = false;

  bool reserve(std::size_t line_bytes) {
    const bool fits = line_bytes <= capacity_bytes &&
                      (capacity_bytes <= kUsualLineBytes || line_bytes > kUsualLineBytes);
    if (fits) return true;
    const std::size_t wanted = std::bit_ceil(std::max(line_bytes, std::size_t{16} << 10U));
    constexpr std::size_t kNoDepth = 1;  // Stage 1 nests nothing.
    capacity_bytes = 0;
    unescaped = {};
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            wanted, kNoDepth, stage1) != simdjson::SUCCESS)
      return false;
    capacity_bytes = wanted;
    return true;
  }

  bool read_members(std::string_view object) {
    if (!reserve(object.size())) return false;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(object.data());
    if (stage1->stage1(bytes, object.size(), simdjson::stage1_mode::regular) != simdjson::SUCCESS)
      return false;
    unescaped.clear();
    unescaped.reserve(object.size());  // Escapes are longer than what they stand for.
    return walk.read(object, {stage1->structural_indexes.get(), stage1->n_structural_indexes});
  }

  // Once for each string of a line: `unescaped` has room for no more.
  std::string_view text_of(JsonMember& member) {
    if (member.value_escaped) {
      const std::size_t begin = unescaped.size();
      internal::append_unescaped(member.value, unescaped);
      member.value = std::string_view(unescaped).substr(begin);
      member.value_escaped = false;
    }
    return member.value;
  }

  void take_time(const JsonKey& key, JsonMember& member) {
    const auto time = member.kind == JsonKind::kNumber ? internal::time_of_number(member.value)
                      : member.kind == JsonKind::kString
                          ? internal::time_of_text(text_of(member), zone)
                          : std::nullopt;
    if (!time) return;
    time_ns = time;
    texts[static_cast<std::size_t>(JsonSlot::kTime)] = member.value;
    ranks[static_cast<std::size_t>(JsonSlot::kTime)] = key.rank;
  }

  void take(const JsonKey& key, JsonMember& member) {
    at_timestamp = at_timestamp || key.at_timestamp;
    if (key.parent && member.kind == JsonKind::kObject) take_children(key, member);
    if (key.slot == JsonSlot::kNone) return;
    const auto slot = static_cast<std::size_t>(key.slot);
    if (ranks[slot] <= key.rank) return;
    if (key.slot == JsonSlot::kTime) return take_time(key, member);
    const bool id = key.slot == JsonSlot::kTraceId || key.slot == JsonSlot::kSpanId;
    if (member.kind != JsonKind::kString && !(id && member.kind == JsonKind::kNumber)) return;
    if (member.value.empty() || (id && !is_id(member.value))) return;
    texts[slot] = text_of(member);
    ranks[slot] = key.rank;
  }

  // Nested members go by "parent.child"; deeper ones are nobody's.
  void take_children(const JsonKey& parent, const JsonMember& object) {
    std::array<char, internal::kLongestJsonKey> name{};
    const std::size_t prefix = parent.name.size() + 1;
    std::copy(parent.name.begin(), parent.name.end(), name.begin());
    name[prefix - 1] = '.';
    for (JsonMember& child : walk.members_of(object)) {
      if (prefix + child.key.size() > name.size()) continue;
      std::copy(child.key.begin(), child.key.end(),
                name.begin() + static_cast<std::ptrdiff_t>(prefix));
      const JsonKey* const key = internal::json_key({name.data(), prefix + child.key.size()});
      if (key != nullptr && !key->parent) take(*key, child);
    }
  }

  std::string_view text_in(JsonSlot slot) const {
    const auto at = static_cast<std::size_t>(slot);
    return ranks[at] == kNothing ? std::string_view() : texts[at];
  }

  // All of them: what the line before had goes.
  void fill(JsonFields& fields) const {
    fields.is_object = true;
    fields.message = text_in(JsonSlot::kMessage);
    fields.time_ns = time_ns;
    fields.time_text = text_in(JsonSlot::kTime);
    fields.trace_id = text_in(JsonSlot::kTraceId);
    fields.span_id = text_in(JsonSlot::kSpanId);
    fields.logger = text_in(JsonSlot::kLogger);
    fields.error_type = text_in(JsonSlot::kErrorType);
    fields.error_message = text_in(JsonSlot::kErrorMessage);
    fields.error_stack = text_in(JsonSlot::kErrorStack);
    fields.ecs = at_timestamp && !text_in(JsonSlot::kEcsVersion).empty();
    // W3C Trace Context, 3.2: version, 32 digits, 16 digits, flags.
    const std::string_view parent = text_in(JsonSlot::kTraceParent);
    if (!fields.trace_id.empty() || parent.size() < 55 || parent[2] != '-' || parent[35] != '-')
      return;
    fields.trace_id = parent.substr(3, 32);
    fields.span_id = parent.substr(36, 16);
  }
};

JsonReader::JsonReader() : impl_(std::make_unique<Impl>()) {}
JsonReader::~JsonReader() = default;

const JsonFields& JsonReader::read(std::string_view line) {
  const std::string_view object = trimmed(line);
  impl_->read_whole = object.size() <= kMaxLineBytes && object.starts_with('{') &&
                      object.ends_with('}') && impl_->read_members(object);
  if (!impl_->read_whole) return fields_ = {};
  impl_->ranks.fill(Impl::kNothing);
  impl_->time_ns.reset();
  impl_->at_timestamp = false;
  for (JsonMember& member : impl_->walk.members())
    if (const JsonKey* const key = internal::json_key(member.key)) impl_->take(*key, member);
  impl_->fill(fields_);
  return fields_;
}

std::optional<std::string_view> JsonReader::value(std::string_view key) {
  if (!impl_->read_whole) return std::nullopt;
  std::string name;  // Of keys that are written with escapes, which are few.
  for (JsonMember& member : impl_->walk.members()) {
    if (member.key_escaped) {
      name.clear();
      internal::append_unescaped(member.key, name);
    }
    if ((member.key_escaped ? std::string_view(name) : member.key) != key) continue;
    if (member.kind == JsonKind::kObject || member.kind == JsonKind::kArray ||
        (member.kind == JsonKind::kLiteral && member.value == "null"))
      return std::nullopt;
    return impl_->text_of(member);
  }
  return std::nullopt;
}

std::span<const JsonMember> JsonReader::members() const {
  if (!impl_->read_whole) return {};
  return impl_->walk.members();
}

std::span<const JsonMember> JsonReader::members_of(const JsonMember& object) {
  return impl_->walk.members_of(object);
}

bool is_error_stack(std::string_view key) {
  const JsonKey* const known = internal::json_key(key);
  return known != nullptr && known->slot == JsonSlot::kErrorStack;
}

void append_json_unescaped(std::string& out, std::string_view written) {
  internal::append_unescaped(written, out);
}

}  // namespace pmx::ship
