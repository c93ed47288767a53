#include "cli/balance_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string_view>
#include <utility>

#include "cli/text_table.h"

namespace pmx::cli {
namespace {

constexpr double kUneven = 1.3;  // The fullest to the mean.
// Of so many on average, chance alone makes a difference of three times their root (Poisson).
constexpr double kChance = 3;
constexpr std::int64_t kMinuteMs = 60'000;

std::string number(const Json& value) {
  return value.is_integer() ? std::to_string(value.as_int()) : "-";
}

struct Column {
  const char* title;
  std::string (*text)(const Json& worker);
};
constexpr std::array kColumns{
    Column{"id", [](const Json& w) { return number(w["pm_id"]); }},
    Column{"name", [](const Json& w) { return w["name"].as_string(); }},
    Column{"worker", [](const Json& w) { return number(w["instance"]); }},
    Column{"pid", [](const Json& w) { return number(w["pid"]); }},
    Column{"balance", [](const Json& w) { return w["balance"].as_string_or("-"); }},
    Column{"open", [](const Json& w) { return number(w["open"]); }},
    Column{"connections/min", [](const Json& w) { return number(w["connections"]); }},
    Column{"requests/min", [](const Json& w) { return number(w["requests"]); }},
};

struct Measure {
  const char* key;
  const char* words;
  bool of_a_minute;
};
constexpr std::array kMeasures{
    Measure{"connections", "of the connections of the last minute", true},
    Measure{"open", "of the open connections", false},
    Measure{"requests", "of the requests of the last minute", true},
};

bool is_meant_to_be_even(std::string_view balance) { return balance == "slots" || balance == "rr"; }

// "" where its workers' shares are even, or nobody can say.
std::string uneven_line(const std::vector<const Json*>& workers, const Measure& measure) {
  if (workers.size() < 2) return "";
  const Json* fullest = workers.front();
  std::int64_t sum = 0;
  for (const Json* worker : workers) {
    const Json& count = (*worker)[measure.key];
    if (!count.is_integer()) return "";
    // One that is younger has a part of a minute only.
    if (measure.of_a_minute && (*worker)["lived_ms"].as_int() < kMinuteMs) return "";
    sum += count.as_int();
    if (count.as_int() > (*fullest)[measure.key].as_int()) fullest = worker;
  }
  const double mean = static_cast<double>(sum) / static_cast<double>(workers.size());
  const auto most = static_cast<double>((*fullest)[measure.key].as_int());
  if (most <= kUneven * mean || most - mean <= kChance * std::sqrt(mean)) return "";
  std::array<char, 32> times{};
  (void)std::snprintf(times.data(), times.size(), "%.1f", most / mean);
  return (*fullest)["name"].as_string() + ": worker " + number((*fullest)["instance"]) + " has " +
         times.data() + " times the mean " + measure.words +
         ": few clients that keep connections open do that, and a reload spreads them anew";
}

}  // namespace

std::string balance_table(const Console& console, const Json& workers) {
  std::vector<std::string> head;
  std::vector<std::size_t> widths;
  for (const Column& column : kColumns) {
    head.emplace_back(column.title);
    widths.push_back(head.back().size() + 2);
  }
  std::vector<std::vector<Cell>> rows;
  for (const Json& worker : workers.items()) {
    std::vector<Cell> row;
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      row.push_back({kColumns[i].text(worker)});
      widths[i] = std::max(widths[i], display_width(row.back().text) + 2);
    }
    rows.push_back(std::move(row));
  }
  return draw_table(console, head, widths, rows);
}

std::vector<std::string> uneven_lines(const Json& workers) {
  std::map<std::pair<std::string, std::string>, std::vector<const Json*>> apps;
  for (const Json& worker : workers.items())
    if (is_meant_to_be_even(worker["balance"].as_string()) && worker["pid"].as_int() > 0)
      apps[{worker["name"].as_string(), worker["namespace"].as_string()}].push_back(&worker);
  std::vector<std::string> lines;
  for (const auto& [app, of_app] : apps)
    for (const Measure& measure : kMeasures)
      if (std::string line = uneven_line(of_app, measure); !line.empty()) {
        lines.push_back(std::move(line));
        break;  // One is the other's cause.
      }
  return lines;
}

}  // namespace pmx::cli
