// Reads what stores want to have by name out of a line that is JSON: message, the app's own time,
// trace and span ids, logger, error. One pass, simdjson On-Demand, in place.
//
// Thread: one at a time an object (it keeps simdjson's buffers).
// Bounds: lines over 1 MiB are text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace pmx::ship {

struct JsonFields {
  bool is_object = false;    // Begins with '{', is one whole valid object.
  std::string_view message;  // msg, message, _msg, log, body, text, short_message, @message, event.
  std::optional<std::int64_t>
      time_ns;  // time, ts, timestamp, @timestamp, t, eventTime, datetime, asctime.
  std::string_view trace_id, span_id;  // trace_id, traceId, trace.id, dd.trace_id …; "" where none.
  std::string_view logger;             // logger, name (a string), logger_name, log.logger.
  std::string_view error_type, error_message, error_stack;  // err/error/exception object, or flat.
  bool ecs = false;  // Has "@timestamp" and "ecs.version" or "ecs": already ECS.
};

class JsonReader {
 public:
  JsonReader();
  ~JsonReader();
  // Views are unescaped and valid until the next call. `line` needs 64 readable bytes behind it.
  const JsonFields& read(std::string_view line);
  // A top-level key's value as text (strings unescaped, numbers and booleans as written); nullopt:
  // not there, an object or an array. Of the line last read.
  std::optional<std::string_view> value(std::string_view key);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  JsonFields fields_;
};

}  // namespace pmx::ship
