// Slow and obvious versions of what src/capture does fast. Unit tests and fuzz targets hold the
// fast ones to them. simdjson is the judge of what is JSON and where its top-level members are.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "capture/fields.h"
#include "capture/internal/level_word.h"
#include "capture/line_framer.h"

namespace pmx::capture {
namespace internal {

inline std::optional<Severity> level_of(const simdjson::dom::element& value, Scale scale) {
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) {
    std::string padded(text);
    padded.resize(text.size() + kReadableBehindBytes);
    return level_word(std::string_view(padded).substr(0, text.size()));
  }
  std::uint64_t number = 0;
  if (!value.is_uint64() && !value.is_int64()) return std::nullopt;  // 30.0 and 3e1 are no levels.
  if (value.get_uint64().get(number) != simdjson::SUCCESS || number > 9999) return std::nullopt;
  return level_number(number, scale);
}

inline std::string text_of(const LineBatch& batch) {
  return std::to_string(batch.bytes.size()) + " bytes, " + std::to_string(batch.lines) + " lines" +
         (batch.partial ? ", partial" : "") + (batch.continues ? ", continues" : "");
}

inline std::string text_of(const LineFields& fields) {
  return std::string(name_of(fields.severity)) + (fields.unreadable ? ", unreadable" : "");
}

}  // namespace internal

// Byte by byte, as the comment over frame() says it.
inline LineBatch reference_frame(std::string_view readable, const FrameLimits& limits,
                                 bool continues) {
  const std::uint64_t most_bytes = std::min(limits.max_batch_bytes, limits.max_line_bytes);
  LineBatch batch;
  batch.continues = continues;
  std::size_t line_begin = 0;
  for (std::size_t i = 0; i < readable.size(); ++i) {
    const std::size_t line_size = i + 1 - line_begin;
    if (line_size == limits.max_line_bytes && readable[i] != '\n') {
      if (batch.lines == 0) {
        batch.bytes = readable.substr(0, i + 1);
        batch.lines = 1;
        batch.partial = true;
      }
      return batch;
    }
    if (readable[i] != '\n') continue;
    const bool fits = i + 1 <= most_bytes && batch.lines < kMaxBatchLines;
    if (!fits && batch.lines > 0) return batch;
    batch.bytes = readable.substr(0, i + 1);
    ++batch.lines;
    line_begin = i + 1;
    if (!fits) return batch;  // One long line alone.
  }
  if (batch.lines == 0 && !readable.empty() && (limits.at_end || limits.flush_partial)) {
    batch.bytes = readable;
    batch.lines = 1;
    batch.partial = true;
  }
  return batch;
}

// nullopt: the text is not one valid JSON object, or one that the fast reader need not read alike
// (escaped letters in keys and levels: "l\u0065vel").
inline std::optional<LineFields> reference_json_fields(std::string_view line) {
  if (line.find("\\u") != std::string_view::npos) return std::nullopt;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  const simdjson::padded_string padded(line);
  if (parser.parse(padded).get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
  LineFields fields;
  for (const auto& member : object) {
    const internal::LevelKey* const key = internal::level_key(member.key);
    if (key == nullptr) continue;
    if (const auto severity = internal::level_of(member.value, key->scale)) {
      fields.severity = *severity;
      break;
    }
  }
  return fields;
}

// Says what differs; "" where both agree.
inline std::string disagreement_of_frames(std::string_view readable, const FrameLimits& limits,
                                          bool continues) {
  const LineBatch fast = frame(readable, limits, continues);
  const LineBatch slow = reference_frame(readable, limits, continues);
  const bool same_place =
      fast.bytes.empty() ? slow.bytes.empty() : fast.bytes.data() == readable.data();
  if (same_place && fast.bytes.size() == slow.bytes.size() && fast.lines == slow.lines &&
      fast.partial == slow.partial && fast.continues == slow.continues)
    return "";
  return "fast: " + internal::text_of(fast) + "; reference: " + internal::text_of(slow);
}

inline std::string disagreement_of_fields(std::string_view line) {
  const auto slow = reference_json_fields(line);
  if (!slow) return "";
  const LineFields fast = read_fields_copy(line);
  if (fast == *slow) return "";
  return "fast: " + internal::text_of(fast) + "; reference: " + internal::text_of(*slow);
}

}  // namespace pmx::capture
