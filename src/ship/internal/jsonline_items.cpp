#include "ship/internal/jsonline_items.h"

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "base/time_text.h"
#include "ship/internal/label_rules.h"
#include "ship/json_escape.h"

namespace pmx::ship::internal {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::array<std::string_view, 4> kReplaceable{"app", "host", "namespace", "env"};
constexpr std::array<std::string_view, 13> kOwnNames{"time",  "line", "_time",    "_msg", "stream",
                                                     "level", "pid",  "instance", "run",  "log",
                                                     "seq",   "part", "lines"};

template <class Names>
bool among(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 24> room;
  const auto end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
  out.append(room.data(), static_cast<std::size_t>(end - room.data()));
}

// `name` is ours or a label's: nothing in it is to be escaped.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  append_json_string(out, value);
}

void append_field(std::string& out, std::string_view name, std::uint64_t number) {
  out.append(",\"").append(name).append("\":");
  append_number(out, number);
}

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

}  // namespace

JsonlineItems::JsonlineItems(const SinkContext& context, Options options)
    : options_(options), field_of_(context.field_of) {
  for (const auto& [name, value] : context.spec.labels) {
    const std::string fit = label_name(name);
    if (!fit.empty() && !among(kOwnNames, fit) && fit != "piece")
      labels_.emplace(fit, label_value(value));
  }
  if (!field_of_) return;
  for (const std::string& key : context.spec.label_fields) {
    const std::string fit = label_name(key);
    const bool taken = among(kOwnNames, fit) || among(kReplaceable, fit) || fit == "piece" ||
                       labels_.contains(fit);
    if (!fit.empty() && !taken) fields_.emplace_back(key, fit);
  }
}

std::vector<std::string> JsonlineItems::extra_names() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : labels_)
    if (!among(kReplaceable, name)) names.push_back(name);
  for (const auto& [key, name] : fields_) names.push_back(name);
  return names;
}

const std::string& JsonlineItems::fixed_of(const Event& event) {
  const Origin& origin = *event.origin;
  const RunInfo& run = event.run;
  const auto slot = static_cast<std::uint64_t>(run.pid) * 16 +
                    static_cast<std::uint64_t>(event.severity) * 2 +
                    (event.kind == StreamKind::kErr ? 1U : 0U);
  Fixed& fixed = fixed_[slot % fixed_.size()];
  if (fixed.valid && fixed.severity == event.severity && fixed.kind == event.kind &&
      fixed.run.pid == run.pid && fixed.run.instance == run.instance && fixed.run.run == run.run &&
      fixed.run.known == run.known && fixed.log == origin.log && fixed.app == origin.app &&
      fixed.host == origin.host && fixed.env == origin.env &&
      fixed.app_namespace == origin.app_namespace)
    return fixed.text;
  make_fixed(event, fixed);
  return fixed.text;
}

void JsonlineItems::make_fixed(const Event& event, Fixed& fixed) const {
  const Origin& origin = *event.origin;
  fixed = {true,       event.severity, event.kind, event.run, origin.app, origin.app_namespace,
           origin.env, origin.host,    origin.log, ""};
  std::string& text = fixed.text;
  const std::array<std::pair<std::string_view, const std::string*>, 4> replaceable{
      {{"app", &origin.app},
       {"host", &origin.host},
       {"namespace", &origin.app_namespace},
       {"env", &origin.env}}};
  for (const auto& [name, value] : replaceable) {
    const auto own = labels_.find(std::string(name));
    const std::string shown = own != labels_.end() ? own->second : label_value(*value);
    if (!shown.empty()) append_field(text, name, shown);
  }
  append_field(text, "stream",
               std::string_view(event.kind == StreamKind::kOut ? "stdout" : "stderr"));
  for (const auto& [name, value] : labels_)
    if (!among(kReplaceable, name) && !value.empty()) append_field(text, name, value);
  append_field(text, "level", pmx::name_of(event.severity));
  if (event.run.pid != 0) append_field(text, "pid", static_cast<std::uint64_t>(event.run.pid));
  if (event.run.instance >= 0)
    append_field(text, "instance", static_cast<std::uint64_t>(event.run.instance));
  if (event.run.known) append_field(text, "run", event.run.run);
  append_field(text, "log", origin.log.hex());
}

void JsonlineItems::make_own(const Event& event) {
  own_.clear();
  append_field(own_, "seq", event.seq);
  if (event.lines > 1) append_field(own_, "lines", event.lines);
  if (event.parts != 0)
    append_field(own_, "part", std::to_string(event.part) + "/" + std::to_string(event.parts));
  if (!event.text.starts_with('{')) return;
  for (const auto& [key, name] : fields_)
    if (const auto value = field_of_(event.text, key); value && !value->empty())
      append_field(own_, name, label_value(*value));
}

void JsonlineItems::append_time(std::string& out, std::int64_t time_ns) {
  std::int64_t second = time_ns / kNsPerSecond, nanos = time_ns % kNsPerSecond;
  if (nanos < 0) {
    nanos += kNsPerSecond;
    --second;
  }
  if (second != second_ || second_text_.empty()) {
    second_ = second;
    second_text_ = iso_time(second * kNsPerSecond);
    second_text_.resize(second_text_.size() - 4);  // "000Z"
  }
  std::array<char, 10> digits{"000000000"};
  for (std::size_t at = 9; nanos != 0; nanos /= 10)
    digits[--at] = static_cast<char>('0' + nanos % 10);
  out.append(second_text_).append(digits.data(), 9) += 'Z';
}

void JsonlineItems::append_piece(const Event& event, std::string_view text, std::string_view piece,
                                 std::string& out) {
  out.append("{\"").append(options_.time_name).append("\":\"");
  append_time(out, event.time_ns);
  out.append("\",\"").append(options_.text_name).append("\":");
  append_json_string(out, text);
  out.append(fixed_of(event)).append(own_);
  if (!piece.empty()) append_field(out, "piece", piece);
  out.append("}\n");
}

// As long as their escaped forms allow, cut between letters.
std::vector<std::string_view> JsonlineItems::pieces_of(std::string_view text,
                                                       std::size_t budget_bytes) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    std::size_t size = std::min(text.size(), budget_bytes);
    while (true) {
      while (size > 1 && size < text.size() && continues(text[size])) --size;
      escaped_.clear();
      append_json_escaped(escaped_, text.substr(0, size));
      if (escaped_.size() <= budget_bytes || size == 1) break;
      size = std::max<std::size_t>(1, std::min(size - 1, size * budget_bytes / escaped_.size()));
    }
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return pieces;
}

void JsonlineItems::encode(const Event& event, std::string& out) {
  make_own(event);
  constexpr std::size_t kFrameBytes = 128;  // Braces, names and time, and "piece" above its need.
  const std::size_t around = kFrameBytes + fixed_of(event).size() + own_.size();
  constexpr std::size_t kLongestEscape = 6;
  const std::size_t limit = options_.max_line_bytes;
  if (limit == 0 || event.text.size() * kLongestEscape + around <= limit)
    return append_piece(event, event.text, "", out);
  const std::size_t budget = limit > 2 * around ? limit - around : limit / 2;
  const auto pieces = pieces_of(event.text, budget);
  for (std::size_t at = 0; at < pieces.size(); ++at)
    append_piece(
        event, pieces[at],
        pieces.size() == 1 ? "" : std::to_string(at + 1) + "/" + std::to_string(pieces.size()),
        out);
}

std::string JsonlineItems::text_of(std::string_view item, std::string_view text_name) {
  std::string text;
  while (!item.empty()) {
    const auto end = std::min(item.find('\n'), item.size());
    if (const auto object = Json::parse(item.substr(0, end)))
      text += (*object)[text_name].as_string();
    item.remove_prefix(std::min(end + 1, item.size()));
  }
  return text;
}

}  // namespace pmx::ship::internal
