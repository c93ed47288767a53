// Which top-level keys are what, as the usual loggers write them. Of several for one thing the one
// that stands first here counts. "a.b" is a flat key of that name, and b in an object a.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pmx::ship::internal {

enum class JsonSlot : std::uint8_t {
  kMessage,
  kTime,
  kTraceId,
  kSpanId,
  kTraceParent,  // W3C's "00-<trace id>-<span id>-01".
  kLogger,
  kErrorType,
  kErrorMessage,
  kErrorStack,
  kEcsVersion,
  kNone,
};
inline constexpr std::size_t kJsonSlots = static_cast<std::size_t>(JsonSlot::kNone);

struct JsonKey {
  std::string_view name;
  JsonSlot slot = JsonSlot::kNone;
  bool parent = false;        // An object whose members are looked up as "name.member".
  bool at_timestamp = false;  // The one by which ECS is known.
  std::uint8_t rank = 0;      // Its place in the table.
};

inline constexpr auto kJsonKeys = [] {
  using enum JsonSlot;
  std::array keys{
      JsonKey{"msg", kMessage},
      JsonKey{"message", kMessage},
      JsonKey{"_msg", kMessage},
      JsonKey{"log", kMessage, true},
      JsonKey{"body", kMessage},
      JsonKey{"text", kMessage},
      JsonKey{"short_message", kMessage},
      JsonKey{"@message", kMessage},
      JsonKey{"event", kMessage},
      JsonKey{"@m", kMessage},  // Serilog, as are @mt, @t, @x, @tr and @sp.
      JsonKey{"RenderedMessage", kMessage},
      JsonKey{"@mt", kMessage},
      JsonKey{"time", kTime},
      JsonKey{"ts", kTime},
      JsonKey{"timestamp", kTime},
      JsonKey{"@timestamp", kTime, false, true},
      JsonKey{"t", kTime},
      JsonKey{"eventTime", kTime},
      JsonKey{"datetime", kTime},
      JsonKey{"asctime", kTime},
      JsonKey{"@t", kTime},
      JsonKey{"Timestamp", kTime},
      JsonKey{"trace_id", kTraceId},
      JsonKey{"traceId", kTraceId},
      JsonKey{"traceID", kTraceId},
      JsonKey{"trace.id", kTraceId},
      JsonKey{"dd.trace_id", kTraceId},
      JsonKey{"otelTraceID", kTraceId},
      JsonKey{"TraceId", kTraceId},
      JsonKey{"@tr", kTraceId},
      JsonKey{"span_id", kSpanId},
      JsonKey{"spanId", kSpanId},
      JsonKey{"spanID", kSpanId},
      JsonKey{"span.id", kSpanId},
      JsonKey{"dd.span_id", kSpanId},
      JsonKey{"otelSpanID", kSpanId},
      JsonKey{"SpanId", kSpanId},
      JsonKey{"@sp", kSpanId},
      JsonKey{"traceparent", kTraceParent},
      JsonKey{"trace", kNone, true},
      JsonKey{"span", kNone, true},
      JsonKey{"dd", kNone, true},
      JsonKey{"logger", kLogger},
      JsonKey{"name", kLogger},
      JsonKey{"logger_name", kLogger},
      JsonKey{"log.logger", kLogger},
      JsonKey{"loggerName", kLogger},
      JsonKey{"SourceContext", kLogger},
      JsonKey{"err.type", kErrorType},
      JsonKey{"err.name", kErrorType},
      JsonKey{"error.type", kErrorType},
      JsonKey{"error.name", kErrorType},
      JsonKey{"error.kind", kErrorType},
      JsonKey{"exception.type", kErrorType},
      JsonKey{"exception.name", kErrorType},
      JsonKey{"exception.class", kErrorType},
      JsonKey{"err.message", kErrorMessage},
      JsonKey{"error.message", kErrorMessage},
      JsonKey{"exception.message", kErrorMessage},
      JsonKey{"err", kErrorMessage, true},  // As texts: zap, zerolog, logrus, slog by habit.
      JsonKey{"error", kErrorMessage, true},
      JsonKey{"err.stack", kErrorStack},
      JsonKey{"error.stack", kErrorStack},
      JsonKey{"error.stack_trace", kErrorStack},
      JsonKey{"exception.stacktrace", kErrorStack},
      JsonKey{"exception.stack", kErrorStack},
      JsonKey{"stack", kErrorStack},  // winston
      JsonKey{"stack_trace", kErrorStack},
      JsonKey{"stacktrace", kErrorStack},    // zap
      JsonKey{"errorVerbose", kErrorStack},  // zap
      JsonKey{"exc_info", kErrorStack},      // Python
      JsonKey{"exception", kErrorStack, true},
      JsonKey{"@x", kErrorStack},
      JsonKey{"ecs.version", kEcsVersion},
      JsonKey{"ecs", kEcsVersion, true},
  };
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i].rank = static_cast<std::uint8_t>(i);
  return keys;
}();
inline constexpr std::size_t kLongestJsonKey = 24;

// Open addressing: nearly every key of an app's own ends at an empty place.
inline constexpr std::size_t kJsonKeyPlaces = 512;
constexpr std::size_t json_key_place(std::string_view name) {
  const auto byte = [name](std::size_t i) {
    return std::size_t{static_cast<unsigned char>(name[i])};
  };
  return (name.size() * 37 + byte(0) * 5 + byte(name.size() / 2) * 11 + byte(name.size() - 1) * 3) %
         kJsonKeyPlaces;
}
inline constexpr auto kJsonKeyTable = [] {
  std::array<std::uint8_t, kJsonKeyPlaces> table{};  // Index + 1; 0: empty.
  for (const JsonKey& key : kJsonKeys) {
    std::size_t place = json_key_place(key.name);
    while (table[place] != 0) place = (place + 1) % kJsonKeyPlaces;
    table[place] = static_cast<std::uint8_t>(key.rank + 1);
  }
  return table;
}();
static_assert(kJsonKeys.size() < 255);

// nullptr: an app's own.
inline const JsonKey* json_key(std::string_view name) {
  if (name.empty() || name.size() > kLongestJsonKey) return nullptr;
  for (std::size_t place = json_key_place(name); kJsonKeyTable[place] != 0;
       place = (place + 1) % kJsonKeyPlaces) {
    const JsonKey& key = kJsonKeys[kJsonKeyTable[place] - 1U];
    if (key.name == name) return &key;
  }
  return nullptr;
}

}  // namespace pmx::ship::internal
