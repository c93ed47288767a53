// One line of a log as `pmx logs` prints it: PM2's prefix and colours, --raw, --json, --format; and
// what a terminal may be sent. logs_pretty.h has --pretty.
//
// Thread:  any; pure but for the options.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time_text.h"
#include "model/ids.h"
#include "rotate/log_line.h"

namespace pmx::cli {

// To a terminal only colours pass: a worker's line must not move the cursor, change the title or
// answer a query in the user's name. SGR sequences stay; other control bytes show as ^X, those of
// C1 as the ^[X that they stand for; what is not UTF-8 as U+FFFD. A CR at the end is left out.
void append_for_terminal(std::string& out, std::string_view text);

struct LineOrigin {
  std::string label;  // "0|web"
  std::string app_name;
  WorkerId worker;  // kUnknownWorker: not known.
  StreamKind kind = StreamKind::kOut;
  bool own_log = false;
};

struct LineStyle {
  enum class Form { kPlain, kRaw, kJson, kPairs, kPretty } form = Form::kPlain;
  bool color = false;
  bool terminal = false;
  std::size_t label_width = 10;  // PM2 pads to this; longer labels make it wider.
  std::optional<TimeFormat> timestamp = {};
  std::string highlight;  // Its first occurrence in a line.
};

void append_line(std::string& out, const LineStyle& style, const LineOrigin& origin,
                 const rotate::LogLine& line);

// What the two are made of. The time where it is wanted, and "0|web      | ".
void append_prefix(std::string& out, const LineStyle& style, const LineOrigin& origin,
                   const rotate::LogLine& line);
// With the first occurrence of `highlight` marked. kShown: as append_for_terminal() has it.
enum class Bytes { kAsTheyAre, kShown };
void append_marked(std::string& out, const LineStyle& style, std::string_view text, Bytes bytes);

std::string tail_header(const LineStyle& style, std::size_t lines, std::string_view target);

}  // namespace pmx::cli
