#include "rotate/log_line.h"

#include "base/json.h"
#include "rotate/segment_reader.h"

namespace pmx::rotate {

std::string_view worker_text(const LogLine& line, std::string& scratch) {
  if (line.render != RenderSpec::Kind::kJson || line.dropped_notice) return without_date(line);
  const auto object = Json::parse(line.text);
  if (!object || !(*object)["message"].is_string()) return line.text;
  scratch = (*object)["message"].as_string();
  while (!scratch.empty() && scratch.back() == '\n') scratch.pop_back();
  const std::size_t size = scratch.size();
  scratch.append(kReadablePastEnd, '\0');
  return std::string_view(scratch).substr(0, size);
}

}  // namespace pmx::rotate
