// One event as `_bulk` takes it: an action line, {"create":{"_id":"…"}}, and a source line in the
// Elastic Common Schema. The index is in the request's path.
//
// `_id`: base64url of 16 bytes, 22 characters: 8 bytes of the time in ns, big endian (ids that grow
// cost Lucene least), 4 of log and host, 4 of the sequence number with the piece's number and "is a
// notice" mixed in. The same event has the same id for ever: a store that has it answers 409.
//
// The source is made of objects ("service":{"name":…}), as Filebeat's, because ingest pipelines
// that ask for ctx.service.name do not find a "service.name". A line that is a JSON object gives its
// message, trace, span, logger and error; if it has a message, the line itself becomes
// event.original. Its other fields are not sent by name: a thousand of them and the index takes no
// more ("mapping explosion"). A line that is ECS already is sent as it is, with what it lacks of
// our fields put behind its own.
//
// Thread: ship, one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/sink_spec.h"
#include "ship/bulk_target.h"
#include "ship/ecs_record.h"
#include "ship/event.h"
#include "ship/json_fields.h"

namespace pmx::ship {

// Reads a line's fields: JsonReader, by default.
struct LineFields {
  // Valid until the next call. Empty: no line is looked into.
  std::function<const JsonFields&(std::string_view line)> read;
  // Of the line last read: a top-level key's value as text.
  std::function<std::optional<std::string_view>(std::string_view key)> value;
};

class BulkItems {
 public:
  BulkItems(const SinkSpec& spec, LineFields fields);

  BulkTarget& target_of(const Event& event) { return targets_.of(event); }
  void append(const Event& event, std::string& out);
  static std::string text_of(std::string_view item);  // The line in it.

 private:
  void append_action(const Event& event, const BulkTarget& target, std::string& out) const;
  void append_source(const Event& event, const BulkTarget& target, const JsonFields* fields,
                     std::string& out);
  bool append_record(const Event& event, const BulkTarget& target, std::string& out);
  void append_labels(bool of_line, std::string& out);
  std::string_view second_text(std::int64_t time_ns);

  BulkTargets targets_;
  LineFields fields_;
  struct FieldLabel {
    std::string field, key;
  };
  std::vector<FieldLabel> field_labels_;
  EcsRecord record_;
  std::int64_t second_ = 0;  // Since 1970, of second_text_.
  std::string second_text_;  // "2026-09-17T12:00:00".
};

}  // namespace pmx::ship
