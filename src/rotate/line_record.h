// A line as programs read it: the record that log_type json writes, and PM2's --format.
#pragma once

#include <string>
#include <string_view>

#include "rotate/log_line.h"

namespace pmx::rotate {

// What whoever prints it knows of a line.
struct LineFacts {
  std::string timestamp;
  std::string_view type;  // "out", "err", or "pmx" for what is ours.
  WorkerId worker;        // May be kUnknownWorker.
  std::string_view app_name;
};

// {"message":…,"timestamp":…,"type":…,"process_id":0,"app_name":…} and a newline; the line itself
// where its file has this very object. An unknown worker's process_id is null.
void append_json_record(std::string& out, const LogLine& line, const LineFacts& facts);
// "timestamp=… app=web id=0 type=out message=": the text and its newline follow. `unknown` stands
// for an unknown worker's id; "": no id then.
void append_pairs_before_text(std::string& out, const LineFacts& facts, std::string_view unknown);

}  // namespace pmx::rotate
