// Text of records in a log's file: a pure function of (raw bytes, time, flags, spec), so that a
// daemon that takes over renders a half-written batch again, byte for byte.
//
// kRaw:  the bytes. In a merged log a partial record gets a newline, and its continuation is a line
// of
//        its own.
// kDate: "<date>: <line>". The date stands where a line begins in the file.
// kJson: {"message":…,"timestamp":…,"type":…,"process_id":…,"app_name":…} and a newline: one object
// a
//        line. Bytes that are not UTF-8 become U+FFFD. PM2 has "\n" at the end of each message; we
//        do not.
//
// A line's secrets are taken out of it first, where the spec has rules for that; of a line in
// pieces, out of each piece by itself. Who makes records sees to it that none ends in a secret.
//
// A line in pieces of an unmerged log is one line there: its first piece opens it, its last one
// closes it, so that a JSON object has the time of its last piece.
//
// Thread:  one at a time; it remembers the last date that it formatted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/time_text.h"
#include "model/ids.h"
#include "model/log_spec.h"
#include "redact/redactor.h"

namespace pmx::rotate {

struct RenderInput {
  std::string_view raw;  // Line k of it has time_ns + k.
  std::int64_t time_ns = 0;
  bool continues = false;  // The first line began in an earlier record.
  bool partial = false;    // The last line has no newline here.
  bool last = false;  // Nothing follows in this stream: a line that is open is closed. `raw` may
                      // be empty then.
  StreamKind kind = StreamKind::kOut;
  WorkerId worker;
};

class Renderer {
 public:
  // `redactor`: of the spec's rules; nullptr where it has none. Shared by the streams of a daemon.
  Renderer(const RenderSpec& spec, bool merged,
           std::shared_ptr<redact::Redactor> redactor = nullptr);

  // The file has the worker's lines and nothing else, but for the newline of a partial record in a
  // merged log.
  bool is_raw() const { return spec_.kind == RenderSpec::Kind::kRaw; }
  redact::Redactor* redactor() const { return redactor_.get(); }
  void append(const RenderInput& input, std::string& out) const;
  std::uint64_t take_redactions() const { return std::exchange(redactions_, 0); }

 private:
  std::string_view clean(std::string_view line) const;
  void append_raw(const RenderInput& input, std::string& out) const;
  void append_dated(const RenderInput& input, std::string& out) const;
  void append_json(const RenderInput& input, std::string& out) const;
  void close_object(const RenderInput& input, std::int64_t time_ns, std::string& out) const;
  const std::string& date(std::int64_t time_ns) const;

  RenderSpec spec_;
  bool merged_;
  std::shared_ptr<redact::Redactor> redactor_;
  TimeFormat format_;
  bool iso_;
  std::int64_t date_unit_ns_;  // Within one such span the date's text is the same.
  std::string json_name_;      // app_name, escaped.
  mutable std::string date_;   // Of span `date_span_`.
  mutable std::int64_t date_span_;
  mutable std::string redacted_;  // The latest line that had a secret.
  mutable std::uint64_t redactions_ = 0;
};

}  // namespace pmx::rotate
