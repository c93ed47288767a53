#include "ship/sink_names.h"

#include <set>

namespace pmx::ship {
namespace {

constexpr std::size_t kIdDigits = 8;

}  // namespace

std::string full_name(const std::string& name, const std::string& sink_id) {
  return name + "-" + sink_id.substr(0, kIdDigits);
}

std::map<std::string, std::string> distinct_names(const std::map<std::string, std::string>& names) {
  std::map<std::string, std::size_t> sinks_of;
  for (const auto& [id, name] : names) ++sinks_of[name];
  std::map<std::string, std::string> distinct;
  std::set<std::string> taken;  // By a sink whose own name it is.
  for (const auto& [id, name] : names)
    if (sinks_of[name] == 1) taken.insert(distinct[id] = name);
  for (const auto& [id, name] : names) {
    if (sinks_of[name] == 1) continue;
    std::string longer = full_name(name, id);
    // Somebody's own name looks so, or the first digits of two ids are the same.
    if (!taken.insert(longer).second) longer = name + "-" + id;
    distinct[id] = std::move(longer);
  }
  return distinct;
}

}  // namespace pmx::ship
