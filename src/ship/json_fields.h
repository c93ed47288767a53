// Reads what stores want to have by name out of a line that is JSON: message, the app's own time,
// trace and span ids, logger, error. internal/json_keys.h has the names. One pass, in place.
//
// Thread: one at a time an object (it keeps buffers: 4 bytes a byte of the longest line, given back
//         when shorter ones follow).
// Bounds: lines over 1 MiB are text, and so is what is nested deeper than 64.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ship/json_member.h"

namespace pmx::ship {

struct JsonFields {
  // One whole valid object (RFC 8259), blanks around it allowed. May hold newlines, where the lines
  // of a pretty-printed one were joined.
  bool is_object = false;
  std::string_view message;  // msg, message, _msg, log, body, text, short_message, @message, event.
  // time, ts, timestamp, @timestamp, t, eventTime, datetime, asctime.
  std::optional<std::int64_t> time_ns;
  std::string_view time_text;          // What time_ns was read from.
  std::string_view trace_id, span_id;  // trace_id, traceId, trace.id, dd.trace_id …; "" where none.
  std::string_view logger;             // logger, name (a string), logger_name, log.logger.
  std::string_view error_type, error_message, error_stack;  // err/error/exception object, or flat.
  bool ecs = false;  // Has "@timestamp" and "ecs.version" or "ecs": already ECS.
};

class JsonReader {
 public:
  JsonReader();
  ~JsonReader();
  // Views are unescaped and valid until the next call, while `line` is there. `line` needs 64
  // readable bytes behind it.
  const JsonFields& read(std::string_view line);
  // A top-level key's value as text (strings unescaped, numbers and booleans as written); nullopt:
  // not there, null, an object or an array. Of the line last read.
  std::optional<std::string_view> value(std::string_view key);
  // The members of the line last read, in its order. One that a field above came from has that
  // very view as its value. members_of() an object among them: valid until it is called again.
  std::span<const JsonMember> members() const;
  std::span<const JsonMember> members_of(const JsonMember& object);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  JsonFields fields_;
};

// Is this the key of an error's stack? Of a nested one "parent.key".
bool is_error_stack(std::string_view key);
// What a member's key or value with escapes stands for.
void append_json_unescaped(std::string& out, std::string_view written);

}  // namespace pmx::ship
