// g++ 12 with sanitizers sees an uninitialized std::function inside libstdc++'s <regex> that is
// none (the same report as GCC bug 105562), and says so at a line of <functional>: hence before all
// else.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include "supervisor/target.h"

#include <algorithm>
#include <functional>
#include <regex>

#include "base/units.h"

namespace pmx::supervisor {
namespace {

using Matches = std::function<bool(const TargetCandidate&)>;

std::vector<WorkerId> all_that(const std::vector<TargetCandidate>& candidates,
                               const Matches& match) {
  std::vector<WorkerId> ids;
  for (const TargetCandidate& candidate : candidates)
    if (match(candidate)) ids.push_back(candidate.id);
  return ids;
}

// PM2's patterns are JavaScript's, which is std::regex's default grammar. It throws on a bad
// pattern: this is the adapter that catches. A pattern is typed by a user and tried on names of at
// most a few dozen bytes, so its backtracking does no harm.
Result<std::vector<WorkerId>> by_pattern(const std::string& pattern,
                                         const std::vector<TargetCandidate>& candidates) {
  try {
    const std::regex expression(pattern);
    return all_that(candidates,
                    [&](const auto& c) { return std::regex_search(c.name, expression); });
  } catch (const std::regex_error& e) {
    return invalid("/" + pattern + "/ is not a regular expression: " + e.what());
  }
}

std::string resolved(std::string_view cwd, std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  if (path.starts_with('/') || cwd.empty()) return std::string(path);
  return std::string(cwd) + (cwd.ends_with('/') ? "" : "/") + std::string(path);
}

Error not_found(std::string message) { return {Errc::kNotFound, std::move(message)}; }

}  // namespace

Result<std::vector<WorkerId>> resolve_target(std::string_view target, std::string_view cwd,
                                             const std::vector<TargetCandidate>& candidates) {
  if (target.empty()) return invalid("no process named: give a name, an id, a namespace or all");
  if (target == "all") {
    auto ids = all_that(candidates, [](const auto&) { return true; });
    if (ids.empty()) return not_found("No process found");
    return ids;
  }
  if (target.size() > 2 && target.front() == '/' && target.back() == '/') {
    auto ids = PMX_TRY(by_pattern(std::string(target.substr(1, target.size() - 2)), candidates));
    if (ids.empty()) return not_found("Process or Namespace " + std::string(target) + " not found");
    return ids;
  }
  const auto number = parse_integer(target);
  const bool numeric = number.has_value() && *number >= 0;
  const std::string path = resolved(cwd, target);
  auto ids = all_that(candidates, [&](const auto& c) {
    return c.name == target || (!numeric && c.script == path);
  });
  if (ids.empty())
    ids = all_that(candidates, [&](const auto& c) { return c.app_namespace == target; });
  if (!ids.empty()) return ids;
  if (!numeric) return not_found("Process or Namespace " + std::string(target) + " not found");
  ids = all_that(candidates,
                 [&](const auto& c) { return static_cast<std::int64_t>(c.id.value) == *number; });
  if (ids.empty()) return not_found(std::string(target) + " : id unknown");
  return ids;
}

}  // namespace pmx::supervisor
