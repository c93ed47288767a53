#include "cli/ship_view.h"

#include <algorithm>
#include <array>
#include <vector>

#include "cli/list_view.h"
#include "cli/text_table.h"

namespace pmx::cli {
namespace {

constexpr std::size_t kWidestColumn = 48;

std::string count_of(const Json& sink, const char* key) {
  return std::to_string(sink[key].as_int());
}

Color state_color(const std::string& state) {
  if (state == "ok") return Color::kGreen;
  if (state == "paused") return Color::kBlue;
  return state == "blocked" ? Color::kRed : Color::kYellow;
}

std::string lines_text(std::int64_t lines) {
  return std::to_string(lines) + (lines == 1 ? " line" : " lines");
}

std::int64_t refused_lines(const Json& sink) { return sink["dropped"]["refused"].as_int(); }

// The error stands below the table too: where it is long, its end matters more, "next in 8 s".
Cell state_cell(const Json& sink) {
  const std::string& state = sink["state"].as_string();
  std::string text = sink["state_text"].as_string();
  if (text.empty()) text = state;
  const std::size_t next = text.rfind(", next in ");
  if (display_width(text) > kWidestColumn && next != std::string::npos)
    text = state + text.substr(next, text.size() - next - 1);  // Without the bracket.
  if (state == "ok" && refused_lines(sink) > 0)
    return {"ok, but it refused " + lines_text(refused_lines(sink)), Color::kYellow};
  return {std::move(text), state_color(state)};
}

std::string lag_text(std::int64_t lag_ms) {
  return lag_ms < 1000 ? std::to_string(std::max<std::int64_t>(0, lag_ms)) + "ms"
                       : uptime_text(lag_ms);
}

// "1200 (retention 1000, filtered 200)": more than 0 by reason; "0".
std::string dropped_text(const Json& dropped) {
  std::int64_t total = 0;
  std::string reasons;
  for (const auto& [reason, lines] : dropped.members()) {
    if (lines.as_int() <= 0) continue;
    total += lines.as_int();
    reasons += (reasons.empty() ? "" : ", ") + reason + " " + std::to_string(lines.as_int());
  }
  return std::to_string(total) + (reasons.empty() ? "" : " (" + reasons + ")");
}

struct Column {
  const char* title;
  Cell (*cell)(const Json& sink);
};
constexpr std::array kColumns{
    Column{"sink",
           [](const Json& s) {
             return Cell{s["name"].as_string(), Color::kBold};
           }},
    Column{"type", [](const Json& s) { return Cell{s["type"].as_string()}; }},
    Column{"state", &state_cell},
    Column{"lag", [](const Json& s) { return Cell{lag_text(s["lag_ms"].as_int())}; }},
    Column{"waiting", [](const Json& s) { return Cell{count_of(s, "waiting_lines")}; }},
    Column{"delivered", [](const Json& s) { return Cell{count_of(s, "delivered_lines")}; }},
    Column{"dropped", [](const Json& s) { return Cell{dropped_text(s["dropped"])}; }},
};

std::string lines_below(const Console& console, const Json& sink, std::int64_t now_ms) {
  const std::string name = console.paint(Color::kYellow, sink["name"].as_string() + ": ");
  std::string out;
  // Its name is shared with another sink, and the id's digits in it tell people little.
  if (const std::string& where = sink["where"].as_string(); !where.empty())
    out += name + where + "\n";
  if (const std::string& error = sink["last_error"].as_string(); !error.empty()) {
    const std::int64_t at_ms = sink["last_error_time_ms"].as_int();
    const bool over = sink["state"].as_string() == "ok" && refused_lines(sink) == 0;
    out += name + error;
    if (at_ms > 0)
      out += " (" + uptime_text(now_ms - at_ms) + " ago" + (over ? "; it works again)" : ")");
    out += "\n";
  }
  if (const std::int64_t kept = sink["dead_letters"].as_int(); kept > 0)
    out += name + std::to_string(kept) +
           (kept == 1 ? " record that it refused is kept" : " records that it refused are kept") +
           ": pmx ship retry " + sink["name"].as_string() + " sends again\n";
  if (const std::int64_t gone = sink["dead_letters_dropped"].as_int(); gone > 0)
    out += name + std::to_string(gone) +
           (gone == 1 ? " refused line is no longer kept" : " refused lines are no longer kept") +
           ": the oldest go where there are too many\n";
  return out;
}

}  // namespace

std::string ship_table(const Console& console, const Json& status, std::int64_t now_ms) {
  std::vector<std::string> head;
  std::vector<std::size_t> widths;
  for (const Column& column : kColumns) {
    head.emplace_back(column.title);
    widths.push_back(head.back().size() + 2);
  }
  std::vector<std::vector<Cell>> rows;
  std::string below;
  for (const Json& sink : status["sinks"].items()) {
    auto& row = rows.emplace_back();
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      row.push_back(kColumns[i].cell(sink));
      const std::size_t width = std::min(display_width(row.back().text), kWidestColumn) + 2;
      widths[i] = std::max(widths[i], width);
    }
    below += lines_below(console, sink, now_ms);
  }
  return draw_table(console, head, widths, rows) + below;
}

std::string how_to_ship() {
  return "Nothing is shipped yet. The lines of an app go to a store too with\n\n"
         "    pmx start app.js --ship loki+http://127.0.0.1:3100\n\n"
         "or with ship: \"loki+http://127.0.0.1:3100\" in a config file. pmx ship test <url> tries "
         "a "
         "store;\ndocs/SETTINGS.md, \"Shipping\", has every store and option.\n";
}

}  // namespace pmx::cli
