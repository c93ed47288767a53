// How foreground mode prints a worker's line: as it was written, or as PM2's runtime does.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rotate/log_line.h"

namespace pmx::supervisor {

enum class EchoStyle {
  kRaw,     // As the worker wrote it.
  kJson,    // {"message":…,"timestamp":…,"type":"out","process_id":0,"app_name":"web"}
  kPairs,   // timestamp=… app=web id=0 type=out message=…
  kPrefix,  // 0|web  | …
};
std::string_view name_of(EchoStyle style);
std::optional<EchoStyle> echo_style_named(std::string_view name);  // raw, json, format, formatted

std::string echo_text(EchoStyle style, std::string_view app_name, const rotate::LogLine& line);

}  // namespace pmx::supervisor
