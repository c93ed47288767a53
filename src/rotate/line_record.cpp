#include "rotate/line_record.h"

#include "base/json.h"
#include "rotate/segment_reader.h"

namespace pmx::rotate {

void append_json_record(std::string& out, const LogLine& line, const LineFacts& facts) {
  if (line.render == RenderSpec::Kind::kJson) {
    out += line.text;
    out += '\n';
    return;
  }
  out += Json::object(
             {{"message", without_date(line)},
              {"timestamp", facts.timestamp},
              {"type", facts.type},
              {"process_id", facts.worker == kUnknownWorker ? Json() : Json(facts.worker.value)},
              {"app_name", facts.app_name}})
             .dump();
  out += '\n';
}

void append_pairs_before_text(std::string& out, const LineFacts& facts, std::string_view unknown) {
  out.append("timestamp=").append(facts.timestamp).append(" app=").append(facts.app_name);
  if (facts.worker != kUnknownWorker)
    out.append(" id=").append(std::to_string(facts.worker.value));
  else if (!unknown.empty())
    out.append(" id=").append(unknown);
  out.append(" type=").append(facts.type).append(" message=");
}

}  // namespace pmx::rotate
