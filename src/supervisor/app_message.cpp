#include "supervisor/app_message.h"

#include <algorithm>
#include <array>
#include <string>

namespace pmx::supervisor {
namespace {

using Kind = AppMessage::Kind;

constexpr char kBunsInternal = '\x02';  // Bun marks its own lines with this byte.
constexpr std::string_view kNodesInternal = "{\"cmd\":\"NODE_";
constexpr std::string_view kHandle = "{\"cmd\":\"NODE_HANDLE\"";

struct Type {
  std::string_view name;
  Kind kind;
};
constexpr std::array kTypes{Type{"axm:action", Kind::kAction}, Type{"axm:monitor", Kind::kMonitor},
                            Type{"axm:reply", Kind::kReply}};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

}  // namespace

AppMessage app_message(std::string_view line) {
  const std::string_view text = trimmed(line);
  if (text == "\"ready\"") return {Kind::kReady};
  if (text.empty() || text.front() == kBunsInternal) return {Kind::kInternal};
  if (text.starts_with(kHandle)) return {Kind::kHandle};
  if (text.starts_with(kNodesInternal)) return {Kind::kInternal};
  // Parsing costs a hundred times as much as looking, and an app may send what nobody wants.
  if (text.front() != '{' || text.find("\"axm:") == std::string_view::npos) return {};
  const auto json = Json::parse(text);
  if (!json) return {};
  const auto* const known = std::find_if(kTypes.begin(), kTypes.end(), [&](const Type& type) {
    return (*json)["type"].as_string() == type.name;
  });
  if (known == kTypes.end() || !(*json)["data"].is_object()) return {};
  return {known->kind, (*json)["data"]};
}

bool knows_action(const Json& actions, std::string_view name) {
  return std::any_of(actions.items().begin(), actions.items().end(),
                     [&](const Json& action) { return action["action_name"].as_string() == name; });
}

bool add_action(Json& actions, const Json& action) {
  const std::string& name = action["action_name"].as_string();
  if (name.empty() || knows_action(actions, name) || actions.items().size() >= kMaxActions ||
      action.dump().size() > kMaxReportBytes)
    return false;
  actions.push_back(action);
  return true;
}

void merge_monitor(Json& monitor, const Json& figures) {
  for (const auto& [name, figure] : figures.members()) {
    const bool room = monitor.find(name) != nullptr || monitor.members().size() < kMaxMonitorKeys;
    if (room && name.size() + figure.dump().size() <= kMaxReportBytes) monitor.set(name, figure);
  }
}

}  // namespace pmx::supervisor
