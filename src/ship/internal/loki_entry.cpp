#include "ship/internal/loki_entry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/json.h"
#include "ship/json_escape.h"

namespace pmx::ship::internal {
namespace {

// Tags: field number << 3 | 2, the wire type of what has a length; | 0 for a varint.
constexpr char kEntryTag = 0x12, kTimeTag = 0x0A, kLineTag = 0x12, kMetadataTag = 0x1A;
constexpr char kSecondsTag = 0x08, kNanosTag = 0x10, kNameTag = 0x0A, kValueTag = 0x12;
constexpr char kHiddenTag = 0x7A;  // Field 15.
constexpr std::size_t kMaxVarintBytes = 10;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

char* write_varint(char* into, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) *into++ = static_cast<char>(value | 0x80U);
  *into++ = static_cast<char>(value);
  return into;
}

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned at = 0; at < kMaxVarintBytes && at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    value |= std::uint64_t{byte & 0x7FU} << (7 * at);
    if (byte < 0x80) {
      bytes.remove_prefix(at + 1);
      return value;
    }
  }
  return std::nullopt;
}

// A field with a length at the beginning of `bytes`, which is moved behind it.
struct Field {
  char tag = 0;
  std::string_view value;
};
std::optional<Field> take_field(std::string_view& bytes) {
  if (bytes.empty()) return std::nullopt;
  const char tag = bytes[0];
  bytes.remove_prefix(1);
  const auto size = take_varint(bytes);
  if (!size || *size > bytes.size()) return std::nullopt;
  const Field field{tag, bytes.substr(0, *size)};
  bytes.remove_prefix(*size);
  return field;
}

std::string_view protobuf_line(std::string_view item) {
  const auto entry = take_field(item);
  if (!entry || entry->tag != kEntryTag) return {};
  std::string_view fields = entry->value;
  while (const auto field = take_field(fields))
    if (field->tag == kLineTag) return field->value;
  return {};
}

void append_protobuf(std::string& out, std::int64_t time_ns, std::string_view line,
                     std::string_view fixed, std::string_view own) {
  std::int64_t seconds = time_ns / kNsPerSecond, nanos = time_ns % kNsPerSecond;
  if (nanos < 0) {  // Timestamp's nanos count forward, also before 1970.
    nanos += kNsPerSecond;
    --seconds;
  }
  std::array<char, 2 * kMaxVarintBytes + 2> time;
  char* end = time.data();
  *end++ = kSecondsTag;
  end = write_varint(end, static_cast<std::uint64_t>(seconds));
  *end++ = kNanosTag;
  end = write_varint(end, static_cast<std::uint64_t>(nanos));
  const auto time_bytes = static_cast<std::size_t>(end - time.data());

  std::array<char, 64> head;
  char* at = head.data();
  *at++ = kEntryTag;
  at = write_varint(
      at, 2 + time_bytes + 1 + varint_bytes(line.size()) + line.size() + fixed.size() + own.size());
  *at++ = kTimeTag;
  *at++ = static_cast<char>(time_bytes);
  std::memcpy(at, time.data(), time_bytes);
  at += time_bytes;
  *at++ = kLineTag;
  at = write_varint(at, line.size());
  out.append(head.data(), static_cast<std::size_t>(at - head.data()));
  out.append(line).append(fixed).append(own);
}

void append_json(std::string& out, std::int64_t time_ns, std::string_view line,
                 std::string_view fixed, std::string_view own) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), time_ns).ptr;
  out.append(",[\"").append(digits.data(), static_cast<std::size_t>(end - digits.data()));
  out.append("\",");
  append_json_string(out, line);
  if (!fixed.empty() || !own.empty()) {
    const bool leading_comma = fixed.empty();  // Each pair has one in front.
    out.append(",{").append(leading_comma ? fixed : fixed.substr(1));
    out.append(leading_comma ? own.substr(1) : own) += '}';
  }
  out += ']';
}

// Behind the JSON string that begins at `at`.
std::size_t behind_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

// One item of JSON at `at`: `,["<ns>","<line>"`, and where it ends.
struct JsonParts {
  std::size_t line = 0, line_end = 0, end = 0;
};
JsonParts json_parts(std::string_view items, std::size_t at) {
  JsonParts parts;
  const auto opening = items.find('[', at);
  if (opening == std::string_view::npos) return {0, 0, items.size()};
  parts.line = std::min(behind_string(items, opening + 1) + 1, items.size());
  parts.line_end = behind_string(items, parts.line);
  for (parts.end = parts.line_end; parts.end < items.size() && items[parts.end] != ']';)
    parts.end = items[parts.end] == '"' ? behind_string(items, parts.end) : parts.end + 1;
  parts.end = std::min(parts.end + 1, items.size());
  return parts;
}

}  // namespace

std::size_t varint_bytes(std::uint64_t value) {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7U) ++bytes;
  return bytes;
}

void append_varint(std::string& out, std::uint64_t value) {
  std::array<char, kMaxVarintBytes> bytes;
  out.append(bytes.data(),
             static_cast<std::size_t>(write_varint(bytes.data(), value) - bytes.data()));
}

void append_pair(std::string& metadata, LokiEncoding encoding, std::string_view name,
                 std::string_view value) {
  if (encoding == LokiEncoding::kJson) {
    metadata.append(",\"").append(name).append("\":");
    return append_json_string(metadata, value);
  }
  metadata += kMetadataTag;
  append_varint(metadata, 1 + varint_bytes(name.size()) + name.size() + 1 +
                              varint_bytes(value.size()) + value.size());
  metadata += kNameTag;
  append_varint(metadata, name.size());
  metadata.append(name) += kValueTag;
  append_varint(metadata, value.size());
  metadata.append(value);
}

void append_pair(std::string& metadata, LokiEncoding encoding, std::string_view name,
                 std::uint64_t number) {
  std::array<char, 24> room;
  const auto end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
  const std::string_view digits(room.data(), static_cast<std::size_t>(end - room.data()));
  if (encoding == LokiEncoding::kProtobuf) return append_pair(metadata, encoding, name, digits);
  metadata.append(",\"").append(name).append("\":\"").append(digits) += '"';
}

void append_entry(std::string& out, LokiEncoding encoding, std::int64_t time_ns,
                  std::string_view line, std::string_view fixed, std::string_view own) {
  if (encoding == LokiEncoding::kJson) return append_json(out, time_ns, line, fixed, own);
  append_protobuf(out, time_ns, line, fixed, own);
}

std::optional<std::string> line_of(std::string_view item, LokiEncoding encoding) {
  if (encoding == LokiEncoding::kProtobuf) {
    const std::string_view line = protobuf_line(item);
    if (line.data() == nullptr) return std::nullopt;
    return std::string(line);
  }
  if (item.empty()) return std::nullopt;
  const auto values = Json::parse(item.substr(1));  // Without its comma.
  if (!values || values->items().size() < 2) return std::nullopt;
  return values->items()[1].as_string();
}

std::vector<std::pair<std::string, std::string>> metadata_of(std::string_view item,
                                                             LokiEncoding encoding) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (encoding == LokiEncoding::kJson) {
    const auto values = item.empty() ? Result<Json>(Json()) : Json::parse(item.substr(1));
    if (!values || values->items().size() < 3) return pairs;
    for (const auto& [name, value] : values->items()[2].members())
      pairs.emplace_back(name, value.as_string());
    return pairs;
  }
  const auto entry = take_field(item);
  std::string_view fields = entry ? entry->value : std::string_view();
  while (const auto field = take_field(fields)) {
    if (field->tag != kMetadataTag && field->tag != kHiddenTag) continue;
    std::string_view pair = field->value;
    const auto name = take_field(pair), value = take_field(pair);
    if (name && value) pairs.emplace_back(name->value, value->value);
  }
  return pairs;
}

std::size_t line_bytes(std::string_view item, LokiEncoding encoding) {
  if (encoding == LokiEncoding::kProtobuf) return protobuf_line(item).size();
  const auto line = line_of(item, encoding);
  return line ? line->size() : 0;
}

void hide_metadata(std::string& items, LokiEncoding encoding) {
  if (encoding == LokiEncoding::kJson) {
    for (std::size_t at = 0; at < items.size();) {
      const JsonParts parts = json_parts(items, at);
      if (parts.line_end < parts.end && parts.line_end > 0)
        std::fill(items.begin() + static_cast<std::ptrdiff_t>(parts.line_end),
                  items.begin() + static_cast<std::ptrdiff_t>(parts.end - 1), ' ');
      at = parts.end;
    }
    return;
  }
  std::string_view rest = items;
  while (const auto entry = take_field(rest)) {
    std::string_view fields = entry->value;
    while (!fields.empty()) {
      const auto tag_at = static_cast<std::size_t>(fields.data() - items.data());
      const auto field = take_field(fields);
      if (!field) break;
      if (field->tag == kMetadataTag) items[tag_at] = kHiddenTag;
    }
  }
}

}  // namespace pmx::ship::internal
