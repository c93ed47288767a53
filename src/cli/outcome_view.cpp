#include "cli/outcome_view.h"

#include <algorithm>

#include "cli/inspect.h"

namespace pmx::cli {

std::string applied_line(std::string_view called, const std::string& word, const Json& answer) {
  const auto& ids = answer["ids"].items();
  const auto& names = answer["names"].items();
  // PM2 passes on an id as it was typed, and Node prints strings in quotes.
  const bool typed_id =
      ids.size() == 1 && ids[0].dump() == word && names.size() == 1 && names[0].as_string() != word;
  return "Applying action " + std::string(called) + " on app [" + word +
         "](ids: " + inspect(typed_id ? Json::Array{Json(word)} : ids) + ")";
}

std::vector<std::string> worker_lines(const Json& answer) {
  const auto& ids = answer["ids"].items();
  const auto& names = answer["names"].items();
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(ids.size(), names.size()); ++i)
    lines.push_back("[" + names[i].as_string() + "](" + ids[i].dump() + ") ✓");
  return lines;
}

}  // namespace pmx::cli
