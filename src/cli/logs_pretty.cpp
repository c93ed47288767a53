#include "cli/logs_pretty.h"

#include <algorithm>
#include <array>
#include <utility>

#include "capture/fields.h"
#include "cli/terminal_colors.h"
#include "ship/json_escape.h"

namespace pmx::cli {
namespace {

using namespace colors;
using ship::JsonKind;
using ship::JsonMember;

constexpr std::string_view kTime = "YYYY-MM-DD HH:mm:ss.SSS";
constexpr std::string_view kIndent = "  ";
constexpr std::size_t kLevelWidth = 5;

std::string_view color_of(Severity severity) {
  switch (severity) {
    case Severity::kTrace:
    case Severity::kDebug:
      return kGray;
    case Severity::kInfo:
      return kGreen;
    case Severity::kWarn:
      return kYellow;
    case Severity::kError:
    case Severity::kFatal:
      return kRed;
  }
  return kDefault;
}

// As wide as the prefix is on a terminal: blanks, then its bar.
std::string blanks_for(std::string_view prefix) {
  const std::size_t bar = prefix.size() - std::string_view("| ").size();
  const auto columns =
      std::count_if(prefix.begin(), prefix.begin() + static_cast<std::ptrdiff_t>(bar),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  return std::string(static_cast<std::size_t>(columns), ' ') + std::string(prefix.substr(bar));
}

// A field's text that needs no quotes.
bool is_bare(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != '"' && c != '\\' && c != '=' && c != 0x7F;
  });
}

// JSON without the blanks between its tokens.
void append_compact(std::string& out, std::string_view json) {
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (in_string || !blank) out += c;
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') out += json[++i];
  }
}

// 35 is shown as INFO and stays a field: INFO alone would not say it.
bool is_usual_number(std::string_view level) {
  constexpr std::array<std::string_view, 6> kNumbers{"10", "20", "30", "40", "50", "60"};
  return std::find(kNumbers.begin(), kNumbers.end(), level) != kNumbers.end();
}

}  // namespace

PrettyPrinter::PrettyPrinter() : time_(kTime) {}

void PrettyPrinter::append(std::string& out, const LineStyle& style, const LineOrigin& origin,
                           const rotate::LogLine& event) {
  under_.clear();
  const Job job{out, style, origin, event};
  append_prefix(out, style, origin, event);
  if (event.dropped_notice || !append_object(job, rotate::without_date(event))) append_text(job);
}

void PrettyPrinter::append_text(const Job& job) {
  const Bytes bytes = job.style.terminal ? Bytes::kShown : Bytes::kAsTheyAre;
  const std::string_view text = job.event.text;
  const std::size_t newline = text.find('\n');
  append_marked(job.out, job.style, text.substr(0, newline), bytes);
  job.out += '\n';
  if (newline != std::string_view::npos) append_below(job, text.substr(newline + 1), bytes);
}

void PrettyPrinter::append_below(const Job& job, std::string_view lines, Bytes bytes) {
  if (under_.empty()) {
    LineStyle plain = job.style;
    plain.color = false;
    append_prefix(under_, plain, job.origin, job.event);
    under_ = blanks_for(under_);
  }
  for (bool more = true; more;) {
    const std::size_t newline = lines.find('\n');
    const std::string_view line = lines.substr(0, newline);
    job.out += under_;
    if (!line.empty()) job.out += kIndent;
    append_marked(job.out, job.style, line, bytes);
    job.out += '\n';
    more = newline != std::string_view::npos;
    if (more) lines.remove_prefix(newline + 1);
  }
}

// ---- JSON objects.

// False: it is none, or one of several lines, which somebody has laid out already.
bool PrettyPrinter::append_object(const Job& job, std::string_view text) {
  if (text.find('\n') != std::string_view::npos) return false;
  const ship::JsonFields fields = reader_.read(text);
  if (!fields.is_object || reader_.members().empty()) return false;
  below_.clear();
  const std::size_t begin = job.out.size();
  // With --timestamp the line's own time is there already.
  if (fields.time_ns || !job.style.timestamp)
    append_time(job, fields.time_ns.value_or(job.event.time_ns));
  const JsonMember* const level = append_level(job);
  append_message(job, fields.message);
  for (const JsonMember& member : reader_.members()) {
    const bool shown = &member == level || member.value.data() == fields.message.data() ||
                       member.value.data() == fields.time_text.data();
    if (!shown) append_member(job, member);
  }
  if (job.out.size() > begin) job.out.pop_back();  // The last blank.
  job.out += '\n';
  for (const std::string& lines : below_) append_below(job, lines, Bytes::kShown);
  return true;
}

void PrettyPrinter::append_time(const Job& job, std::int64_t time_ns) const {
  if (job.style.color) job.out += kGray;
  time_.append(job.out, time_ns);
  if (job.style.color) job.out += kDefault;
  job.out += ' ';
}

// The member that told it and need not be shown again; nullptr: none did.
const JsonMember* PrettyPrinter::append_level(const Job& job) {
  for (const JsonMember& member : reader_.members()) {
    const bool text = member.kind == JsonKind::kString;
    const auto severity = capture::level_of_member(member.key, member.value, text);
    if (!severity) continue;
    value_ = text ? member.value : name_of(*severity);
    for (char& c : value_)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (value_.size() < kLevelWidth) value_.append(kLevelWidth - value_.size(), ' ');
    if (job.style.color) job.out += color_of(*severity);
    append_marked(job.out, job.style, value_, Bytes::kShown);
    if (job.style.color) job.out += kDefault;
    job.out += ' ';
    return text || is_usual_number(member.value) ? &member : nullptr;
  }
  return nullptr;
}

void PrettyPrinter::append_message(const Job& job, std::string_view message) {
  while (message.ends_with('\n')) message.remove_suffix(1);
  if (message.empty()) return;
  const std::size_t newline = message.find('\n');
  append_marked(job.out, job.style, message.substr(0, newline), Bytes::kShown);
  job.out += ' ';
  if (newline != std::string_view::npos) below_.emplace_back(message.substr(newline + 1));
}

void PrettyPrinter::append_member(const Job& job, const JsonMember& member) {
  key_.clear();
  ship::append_json_unescaped(key_, member.key);
  if (member.kind == JsonKind::kString && take_stack(key_, member)) return;
  value_.clear();
  if (member.kind == JsonKind::kObject && without_stacks(member, key_)) {
    if (value_ == "{}") return;  // The stack was all it had.
  } else if (member.kind == JsonKind::kString) {
    ship::append_json_unescaped(value_, member.value);
    if (!is_bare(value_)) {
      const std::string text = std::exchange(value_, {});
      ship::append_json_string(value_, text);
    }
  } else {
    append_compact(value_, member.value);
  }
  if (!is_bare(key_)) {
    const std::string text = std::exchange(key_, {});
    ship::append_json_string(key_, text);
  }
  if (job.style.color) job.out += kGray;
  append_marked(job.out, job.style, key_, Bytes::kShown);
  job.out += '=';
  if (job.style.color) job.out += kDefault;
  append_marked(job.out, job.style, value_, Bytes::kShown);
  job.out += ' ';
}

// True: the object has stacks, which are below_ now; value_ has the rest of it.
bool PrettyPrinter::without_stacks(const JsonMember& object, std::string_view key) {
  if (object.value.find("\\n") == std::string_view::npos) return false;
  const std::size_t before = below_.size();
  std::string rest = "{";
  for (const JsonMember& member : reader_.members_of(object)) {
    value_ = key;
    value_.append(".").append(member.key);
    if (member.kind == JsonKind::kString &&
        (take_stack(value_, member) || take_stack(member.key, member)))
      continue;
    if (rest.size() > 1) rest += ',';
    rest.append("\"").append(member.key).append("\":");
    if (member.kind == JsonKind::kString)
      rest.append("\"").append(member.value).append("\"");
    else
      append_compact(rest, member.value);
  }
  value_.clear();
  if (below_.size() == before) return false;
  value_ = rest + '}';
  return true;
}

// A text of several lines under the key of an error's stack.
bool PrettyPrinter::take_stack(std::string_view key, const JsonMember& member) {
  if (!ship::is_error_stack(key)) return false;
  std::string lines;
  if (member.value_escaped)
    ship::append_json_unescaped(lines, member.value);
  else
    lines = member.value;
  while (lines.ends_with('\n')) lines.pop_back();
  if (lines.find('\n') == std::string::npos) return false;
  below_.push_back(std::move(lines));
  return true;
}

}  // namespace pmx::cli
