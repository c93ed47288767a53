#include "ship/bulk_index.h"

#include <chrono>

namespace pmx::ship {
namespace {

constexpr std::size_t kMaxPartBytes = 100, kMaxNameBytes = 255;
constexpr std::int64_t kHourNs = 3'600'000'000'000;
constexpr std::string_view kForbidden = "\\/*?\"<>| ,#:";

bool has_time(std::string_view pattern) {
  for (std::size_t at = pattern.find('%'); at != pattern.npos; at = pattern.find('%', at + 2))
    if (at + 1 < pattern.size() &&
        std::string_view("YmdH").find(pattern[at + 1]) != std::string_view::npos)
      return true;
  return false;
}

// `text` with what no index name may hold replaced.
std::string fit(std::string_view text) {
  std::string made;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) == 0x80U) continue;  // Inside a UTF-8 sequence, whose lead became '_'.
    if (c >= 'A' && c <= 'Z')
      made.push_back(static_cast<char>(c - 'A' + 'a'));
    else if (byte <= 0x20U || byte >= 0x7FU || kForbidden.find(c) != std::string_view::npos)
      made.push_back('_');
    else
      made.push_back(c);
  }
  return made;
}

// A name may not begin with these, nor be "." or "..".
void fit_whole(std::string& name) {
  const std::size_t begin = name.find_first_not_of("-_+");
  name.erase(0, begin == std::string::npos ? name.size() : begin);
  if (name.empty() || name == "." || name == "..") name = "pmx";
  if (name.size() > kMaxNameBytes) name.resize(kMaxNameBytes);
}

struct UtcHour {
  int year;
  unsigned month, day, hour;
};
UtcHour utc_hour(std::int64_t time_ns) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(time_ns)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<unsigned>(floor<std::chrono::hours>(time - day).count())};
}

void append_two(std::string& out, unsigned value) {
  out.push_back(static_cast<char>('0' + value / 10 % 10));
  out.push_back(static_cast<char>('0' + value % 10));
}

bool append_time(std::string& out, char letter, const UtcHour& time) {
  if (letter == 'Y')
    out += std::to_string(time.year);
  else if (letter == 'm')
    append_two(out, time.month);
  else if (letter == 'd')
    append_two(out, time.day);
  else if (letter == 'H')
    append_two(out, time.hour);
  else if (letter == '%')
    out.push_back('%');
  else
    return false;
  return true;
}

}  // namespace

std::optional<DataStreamParts> data_stream_parts(std::string_view name) {
  const std::size_t first = name.find('-');
  const std::size_t second = first == name.npos ? name.npos : name.find('-', first + 1);
  if (second == name.npos || name.find('-', second + 1) != name.npos) return std::nullopt;
  const DataStreamParts parts{name.substr(0, first), name.substr(first + 1, second - first - 1),
                              name.substr(second + 1)};
  if (parts.type.empty() || parts.dataset.empty() || parts.space.empty()) return std::nullopt;
  return parts;
}

BulkIndex::BulkIndex(const SinkSpec& spec)
    : pattern_(spec.index.empty() ? "logs-{app}-{namespace}" : spec.index),
      data_stream_(spec.data_stream),
      by_time_(has_time(pattern_)) {}

std::int64_t BulkIndex::period_of(std::int64_t time_ns) const {
  if (!by_time_) return 0;
  return time_ns / kHourNs - (time_ns % kHourNs < 0 ? 1 : 0);
}

std::string BulkIndex::name(const Origin& origin, std::int64_t time_ns) const {
  const auto part = [this](std::string_view value) {
    std::string made = fit(value.empty() ? "default" : value);
    if (data_stream_)
      for (char& c : made)
        if (c == '-') c = '_';
    if (made.size() > kMaxPartBytes) made.resize(kMaxPartBytes);
    return made;
  };
  const UtcHour time = utc_hour(time_ns);
  std::string made;
  std::string_view rest = pattern_;
  const auto take = [&rest](std::string_view token) {
    if (!rest.starts_with(token)) return false;
    rest.remove_prefix(token.size());
    return true;
  };
  while (!rest.empty()) {
    if (take("{app}")) {
      made += part(origin.app);
    } else if (take("{namespace}")) {
      made += part(origin.app_namespace);
    } else if (take("{env}")) {
      made += part(origin.env);
    } else if (rest[0] == '%' && rest.size() > 1 && append_time(made, rest[1], time)) {
      rest.remove_prefix(2);
    } else {
      const std::size_t end = std::min(rest.find_first_of("{%", 1), rest.size());
      made += fit(rest.substr(0, end));
      rest.remove_prefix(end);
    }
  }
  fit_whole(made);
  return made;
}

}  // namespace pmx::ship
