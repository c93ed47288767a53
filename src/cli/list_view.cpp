#include "cli/list_view.h"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "base/units.h"
#include "cli/text_table.h"

namespace pmx::cli {
namespace {

constexpr std::size_t kWidestName = 40;
constexpr std::size_t kEmptyNameWidth = 11;

bool is_online(const Json& element) { return element["pm2_env"]["status"].as_string() == "online"; }

std::string uptime_of(const Json& element, std::int64_t now_ms) {
  if (!is_online(element)) return "0";
  return uptime_text(now_ms - element["pm2_env"]["pm_uptime"].as_int(now_ms));
}

std::string mode_of(const Json& element) {
  return element["pm2_env"]["exec_mode"].as_string() == "cluster_mode" ? "cluster" : "fork";
}

std::string cpu_of(const Json& element) {
  std::string number = element["monit"]["cpu"].dump();
  if (number.ends_with(".0")) number.resize(number.size() - 2);  // As JavaScript prints 12.
  return number + "%";
}

std::string memory_of(const Json& element) {
  return format_size(
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, element["monit"]["memory"].as_int())));
}

Color status_color(const std::string& status) {
  if (status == "online") return Color::kGreen;
  return status == "launching" ? Color::kBlue : Color::kRed;
}

// One row a column of the list: its title, its width (0: the name's) and what stands in it.
struct Column {
  const char* title;
  std::size_t width;
  Cell (*cell)(const Json& element, std::int64_t now_ms);
  int detail;  // 0: in every table; 1: also in the condensed one; 2: in the full one only.
};
constexpr std::array kColumns{
    Column{"id", 4,
           [](const Json& e, std::int64_t) {
             return Cell{e["pm_id"].dump(), Color::kCyan};
           },
           0},
    Column{"name", 0,
           [](const Json& e, std::int64_t) {
             return Cell{e["name"].as_string(), Color::kBold};
           },
           0},
    Column{"namespace", 13,
           [](const Json& e, std::int64_t) { return Cell{e["pm2_env"]["namespace"].as_string()}; },
           2},
    Column{"version", 9,
           [](const Json& e, std::int64_t) { return Cell{e["pm2_env"]["version"].as_string()}; },
           2},
    Column{"mode", 9,
           [](const Json& e, std::int64_t) {
             return Cell{mode_of(e), mode_of(e) == "fork" ? Color::kInverse : Color::kBlue};
           },
           1},
    Column{"pid", 10,
           [](const Json& e, std::int64_t) {
             return Cell{e["pid"].as_int() == 0 ? "0" : e["pid"].dump()};
           },
           2},
    Column{"uptime", 8, [](const Json& e, std::int64_t now) { return Cell{uptime_of(e, now)}; }, 2},
    Column{"↺", 6,
           [](const Json& e, std::int64_t) {
             return Cell{std::to_string(e["pm2_env"]["restart_time"].as_int())};
           },
           1},
    Column{"status", 11,
           [](const Json& e, std::int64_t) {
             return Cell{e["pm2_env"]["status"].as_string(),
                         status_color(e["pm2_env"]["status"].as_string())};
           },
           0},
    Column{"cpu", 10, [](const Json& e, std::int64_t) { return Cell{cpu_of(e)}; }, 0},
    Column{"mem", 10, [](const Json& e, std::int64_t) { return Cell{memory_of(e)}; }, 0},
    Column{"user", 10,
           [](const Json& e, std::int64_t) {
             return Cell{e["pm2_env"]["username"].as_string(), Color::kBold};
           },
           2},
    Column{"watching", 10,
           [](const Json& e, std::int64_t) {
             return Cell{is_watched(e["pm2_env"]) ? "enabled" : "disabled"};
           },
           2},
};

std::size_t name_width(const Json& list) {
  if (list.items().empty()) return kEmptyNameWidth;
  std::size_t longest = 0;
  for (const Json& element : list.items())
    longest = std::max(longest, display_width(element["name"].as_string()));
  return std::min(longest + 5, kWidestName);
}

std::size_t id_width(const Json& list) {
  std::size_t digits = 0;
  for (const Json& element : list.items())
    digits = std::max(digits, element["pm_id"].dump().size());
  return std::max<std::size_t>(4, digits + 2);
}

std::size_t width_of(const Column& column, const Json& list) {
  if (column.width == 0) return name_width(list);
  return std::string_view(column.title) == "id" ? id_width(list) : column.width;
}

// The most detail that the terminal is wide enough for.
int detail_for(const Json& list, int columns) {
  for (int detail = 2; detail > 0; --detail) {
    std::size_t total = 1;
    for (const Column& column : kColumns)
      if (column.detail <= detail) total += width_of(column, list) + 1;
    if (total <= static_cast<std::size_t>(columns)) return detail;
  }
  return 0;
}

std::string troubles(const Console& console, const Json& list, std::int64_t now_ms) {
  std::string out;
  for (const Json& element : list.items())
    for (const std::string& trouble : troubles_of(element, now_ms))
      out += console.paint(Color::kYellow, "[PM2][WARN] ") + element["name"].as_string() + " (" +
             element["pm_id"].dump() + "): " + trouble + "\n";
  return out;
}

struct SortField {
  std::string_view name;
  Json (*value)(const Json& element);
};
constexpr std::array kSortFields{
    SortField{"name", [](const Json& e) { return e["name"]; }},
    SortField{"namespace", [](const Json& e) { return e["pm2_env"]["namespace"]; }},
    SortField{"pid", [](const Json& e) { return e["pid"]; }},
    SortField{"id", [](const Json& e) { return e["pm_id"]; }},
    SortField{"cpu", [](const Json& e) { return e["monit"]["cpu"]; }},
    SortField{"memory", [](const Json& e) { return e["monit"]["memory"]; }},
    SortField{"uptime", [](const Json& e) { return e["pm2_env"]["pm_uptime"]; }},
    SortField{"status", [](const Json& e) { return e["pm2_env"]["status"]; }},
};

bool before(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return a.as_double() < b.as_double();
  return a.as_string() < b.as_string();
}

}  // namespace

std::string dump_difference(const Json& dump, const Json& list) {
  std::map<std::string, std::int64_t> more;  // In the list than in the dump, by the app's name.
  for (const Json& element : list.items()) ++more[element["name"].as_string()];
  for (const Json& env : dump.items()) --more[env["name"].as_string()];
  std::string text;
  for (const auto& [name, count] : more)
    if (count != 0) text += (text.empty() ? "" : ", ") + ("app " + name + " differs");
  return text;
}

// One that has lived for longer than it used to is over it.
bool in_crash_loop(const Json& element, std::int64_t now_ms) {
  constexpr std::int64_t kManyInAMinute = 3, kSteadyMs = 10'000;
  const std::string& status = element["pm2_env"]["status"].as_string();
  if (status == "errored" || element["pmx"]["restarts_last_minute"].as_int() < kManyInAMinute)
    return false;
  const std::int64_t lived = now_ms - element["pm2_env"]["pm_uptime"].as_int();
  const std::int64_t used_to = element["pmx"]["last_exit"]["ran_ms"].as_int();
  return status != "online" || lived < std::max(kSteadyMs, 2 * used_to);
}

std::vector<std::string> troubles_of(const Json& element, std::int64_t now_ms) {
  std::vector<std::string> all;
  if (const std::string& own = element["pmx"]["trouble"].as_string(); !own.empty())
    all.push_back(own);
  // Hidden behind "online" where it comes back fast enough.
  if (in_crash_loop(element, now_ms))
    all.push_back("crash loop: " + element["pmx"]["restarts_last_minute"].dump() +
                  " restarts in the last minute; see pmx why " + element["pm_id"].dump());
  for (const Json& log : element["pmx"]["logs"].items())
    if (const std::string& trouble = log["trouble"].as_string(); !trouble.empty())
      all.push_back(trouble);
  return all;
}

bool is_watched(const Json& pm2_env) {
  return pm2_env["watch"].is_array() || pm2_env["watch"].as_bool();
}

std::string uptime_text(std::int64_t duration_ms) {
  struct Unit {
    std::int64_t seconds;
    char name;
  };
  constexpr std::array kUnits{Unit{31'536'000, 'Y'}, Unit{2'592'000, 'M'}, Unit{86'400, 'D'},
                              Unit{3600, 'h'}, Unit{60, 'm'}};
  const std::int64_t seconds = std::max<std::int64_t>(0, duration_ms / 1000);
  for (const Unit& unit : kUnits)
    if (seconds / unit.seconds > 1) return std::to_string(seconds / unit.seconds) + unit.name;
  return std::to_string(seconds) + "s";
}

std::string list_table(const Console& console, const Json& list, std::int64_t now_ms) {
  const int detail = detail_for(list, console.columns());
  std::vector<std::string> head;
  std::vector<std::size_t> widths;
  for (const Column& column : kColumns) {
    if (column.detail > detail) continue;
    head.emplace_back(column.title);
    widths.push_back(width_of(column, list));
  }
  std::vector<std::vector<Cell>> rows;
  for (const Json& element : list.items()) {
    auto& row = rows.emplace_back();
    for (const Column& column : kColumns)
      if (column.detail <= detail) row.push_back(column.cell(element, now_ms));
  }
  return draw_table(console, head, widths, rows) + troubles(console, list, now_ms);
}

std::string mini_list(const Json& list, std::int64_t now_ms) {
  std::string out;
  for (const Json& element : list.items()) {
    const Json& env = element["pm2_env"];
    out += "+--- " + element["name"].as_string() + "\nnamespace : " + env["namespace"].as_string() +
           "\nversion : " + env["version"].as_string() +
           "\npid : " + std::to_string(element["pid"].as_int()) +
           "\npm2 id : " + element["pm_id"].dump() + "\nstatus : " + env["status"].as_string() +
           "\nmode : " + mode_of(element) +
           "\nrestarted : " + std::to_string(env["restart_time"].as_int()) +
           "\nuptime : " + uptime_of(element, now_ms) + "\nmemory usage : " + memory_of(element) +
           " \nerror log : " + env["pm_err_log_path"].as_string() +
           "\nwatching : " + (is_watched(env) ? "yes" : "no") +
           "\nPID file : " + env["pm_pid_path"].as_string() + "\n\n";
  }
  return out;
}

Result<Json> sorted_list(const Json& list, const std::string& sort) {
  const std::size_t colon = sort.find(':');
  const std::string name = sort.empty() ? "name" : sort.substr(0, colon);
  const std::string order = colon == std::string::npos ? "asc" : sort.substr(colon + 1);
  const auto field = std::find_if(kSortFields.begin(), kSortFields.end(),
                                  [&](const SortField& known) { return known.name == name; });
  if (field == kSortFields.end() || (order != "asc" && order != "desc"))
    return invalid("--sort " + sort +
                   ": the fields are name, namespace, pid, id, cpu, memory, uptime and status, "
                   "with :asc or :desc");
  Json::Array items = list.items();
  const bool down = order == "desc";
  std::stable_sort(items.begin(), items.end(), [&](const Json& a, const Json& b) {
    return down ? before(field->value(b), field->value(a))
                : before(field->value(a), field->value(b));
  });
  return Json(std::move(items));
}

}  // namespace pmx::cli
