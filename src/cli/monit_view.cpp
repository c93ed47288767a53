#include "cli/monit_view.h"

#include <algorithm>
#include <array>

#include "cli/list_view.h"
#include "cli/logs_format.h"

namespace pmx::cli {
namespace {

constexpr std::size_t kFrameOfTable = 4;  // Its lines above and below the rows.
constexpr std::size_t kFewestLogRows = 5;
constexpr std::string_view kHelp = " ↑ ↓ choose   q leave";

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Of a worker's output too: what moves the cursor must not reach the terminal.
std::string shown(std::string_view text) {
  std::string out;
  append_for_terminal(out, text);
  return out;
}

std::string number_or_text(const Json& value) {
  return value.is_string() ? value.as_string() : value.dump();
}

// "Queue: 12 jobs", as the app has told it (axm:monitor).
std::string metrics_of(const Json& monitor) {
  std::string out;
  for (const auto& [name, metric] : monitor.members()) {
    const Json* const value = metric.find("value");
    const std::string unit = metric["unit"].as_string();
    out += (out.empty() ? "" : "   ") + name + ": " +
           number_or_text(value != nullptr ? *value : metric) + (unit.empty() ? "" : " " + unit);
  }
  return out;
}

}  // namespace

void MonitView::show(Json list) {
  const auto was = chosen();
  list_ = std::move(list);
  const auto& rows = list_.items();
  const auto same = std::find_if(rows.begin(), rows.end(), [&](const Json& element) {
    return was && element["pm_id"].as_int() == was->value;
  });
  if (same != rows.end())
    row_ = static_cast<std::size_t>(same - rows.begin());
  else
    row_ = rows.empty() ? 0 : std::min(row_, rows.size() - 1);
}

void MonitView::move(Key key) {
  const std::size_t last = list_.items().empty() ? 0 : list_.items().size() - 1;
  if (key == Key::kUp && row_ > 0) --row_;
  if (key == Key::kDown) row_ = std::min(row_ + 1, last);
  if (key == Key::kFirst) row_ = 0;
  if (key == Key::kLast) row_ = last;
}

std::optional<WorkerId> MonitView::chosen() const {
  if (row_ >= list_.items().size()) return std::nullopt;
  return WorkerId{static_cast<std::uint32_t>(list_.items()[row_]["pm_id"].as_int())};
}

void MonitView::add_line(std::string_view line) {
  if (lines_.size() == kMostLines) lines_.pop_front();
  lines_.emplace_back(line.substr(0, kLongestLineBytes));
}

// The rows around the chosen one, as many as there is room for, with a mark before it.
std::vector<std::string> MonitView::table(const Console& console, std::size_t rows,
                                          std::int64_t now_ms) const {
  constexpr std::size_t kHead = kFrameOfTable - 1;
  constexpr std::string_view kBar = "│";
  std::vector<std::string> lines = split_lines(list_table(console, list_, now_ms));
  const std::size_t all = list_.items().size();
  if (all == 0 || lines.size() < all + kFrameOfTable) return lines;
  lines.resize(all + kFrameOfTable);  // Troubles come below, of the chosen one only.
  std::string& chosen = lines[kHead + row_];
  if (chosen.starts_with(kBar)) chosen.replace(0, kBar.size(), "▶");
  if (all <= rows) return lines;
  const std::size_t first = std::min(row_ - std::min(row_, rows / 2), all - rows);
  const auto row = [&](std::size_t at) {
    return lines.begin() + static_cast<std::ptrdiff_t>(kHead + at);
  };
  lines.erase(row(first + rows), row(all));
  lines.erase(row(0), row(first));
  return lines;
}

std::vector<std::string> MonitView::details(const Console& console, std::int64_t now_ms) const {
  if (!chosen()) return {};
  const Json& element = list_.items()[row_];
  const Json& env = element["pm2_env"];
  std::vector<std::string> lines{
      console.paint(Color::kBold, " " + shown(element["name"].as_string()) + " (id " +
                                      element["pm_id"].dump() + ")") +
      "   " + shown(env["pm_exec_path"].as_string()) + "   in " + shown(env["pm_cwd"].as_string())};
  if (const std::string metrics = metrics_of(env["axm_monitor"]); !metrics.empty())
    lines.push_back(" " + shown(metrics));
  for (const std::string& trouble : troubles_of(element, now_ms))
    lines.push_back(" " + console.paint(Color::kYellow, shown(trouble)));
  return lines;
}

std::string MonitView::frame(const Console& console, Size size, std::int64_t now_ms) const {
  const std::vector<std::string> told = details(console, now_ms);
  const std::size_t around = kFrameOfTable + told.size() + kFewestLogRows + 2;
  const std::size_t half = size.rows > around ? size.rows - around : 1;
  std::vector<std::string> screen = table(console, half, now_ms);
  screen.insert(screen.end(), told.begin(), told.end());
  std::string rule;
  for (std::size_t i = 0; i < size.columns; ++i) rule += "─";
  screen.push_back(console.paint(Color::kGray, rule));
  const std::size_t below = size.rows > 0 ? size.rows - 1 : 0;  // The last is for help.
  screen.resize(std::min(screen.size(), below));
  const std::size_t room = below - screen.size();
  const std::size_t skipped = lines_.size() - std::min(lines_.size(), room);
  for (std::size_t i = skipped; i < lines_.size(); ++i) screen.push_back(lines_[i]);
  screen.resize(below);
  screen.push_back(trouble_.empty() ? console.paint(Color::kGray, kHelp)
                                    : console.paint(Color::kRed, " " + shown(trouble_)));
  std::string out;
  for (std::size_t i = 0; i < std::min(screen.size(), size.rows); ++i)
    out += (i == 0 ? "" : "\r\n") + screen[i] + "\033[0m\033[K";
  return out;
}

std::optional<MonitView::Key> take_key(std::string_view& bytes) {
  using Key = MonitView::Key;
  struct Row {
    std::string_view bytes;
    Key key;
  };
  static constexpr std::array kKeys{
      Row{"\033[A", Key::kUp},    Row{"\033OA", Key::kUp},    Row{"\033[B", Key::kDown},
      Row{"\033OB", Key::kDown},  Row{"\033[H", Key::kFirst}, Row{"\033[1~", Key::kFirst},
      Row{"\033OH", Key::kFirst}, Row{"\033[F", Key::kLast},  Row{"\033[4~", Key::kLast},
      Row{"\033OF", Key::kLast},  Row{"k", Key::kUp},         Row{"j", Key::kDown},
      Row{"g", Key::kFirst},      Row{"G", Key::kLast},       Row{"q", Key::kLeave},
      Row{"\003", Key::kLeave},
  };
  while (!bytes.empty()) {
    for (const Row& row : kKeys)
      if (bytes.starts_with(row.bytes)) {
        bytes.remove_prefix(row.bytes.size());
        return row.key;
      }
    if (bytes == "\033") {
      bytes = {};
      return Key::kLeave;
    }
    // Another key's sequence ends with a letter or ~ (ECMA-48).
    std::size_t length = 1;
    if (bytes.starts_with("\033[")) {
      length = 2;
      while (length < bytes.size() && bytes[length] < '@') ++length;
      length = std::min(length + 1, bytes.size());
    }
    bytes.remove_prefix(length);
  }
  return std::nullopt;
}

}  // namespace pmx::cli
