// Most text lines name no level, and all of them pay for the search. So 64 bytes at a time become
// three bit masks (upper-case runs of three, ']', '='), and only where a bit is set a few bytes are
// looked at one by one.
#include "capture/internal/text_level.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "capture/fields.h"
#include "capture/internal/block.h"
#include "capture/internal/level_word.h"

namespace pmx::capture::internal {
namespace {

constexpr char kEscape = '\x1b';
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_letter(char c) { return is_upper(static_cast<char>(c & ~0x20)); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

// The end of the blanks and colour sequences ("ESC [ 3 1 m") from `at`.
std::size_t skip_decoration(std::string_view line, std::size_t at) {
  const std::size_t limit = std::min(line.size(), kTextBytes);
  while (at < limit) {
    if (line[at] == ' ' || line[at] == '\t') {
      ++at;
    } else if (line[at] == kEscape && at + 1 < limit && line[at + 1] == '[') {
      for (at += 2; at < limit && !is_letter(line[at]);) ++at;
      ++at;
    } else {
      break;
    }
  }
  return std::min(at, line.size());
}

// Is the letter before `at` the last one of a colour sequence?
bool ends_colour(std::string_view line, std::size_t at) {
  if (at < 3 || line[at - 1] != 'm') return false;
  std::size_t i = at - 1;
  while (i > 0 && (is_digit(line[i - 1]) || line[i - 1] == ';')) --i;
  return i >= 2 && line[i - 1] == '[' && line[i - 2] == kEscape;
}

std::size_t word_end(std::string_view line, std::size_t from) {
  const std::size_t limit = std::min(line.size(), from + kLongestWord + 1);
  std::size_t at = from;
  while (at < limit && is_letter(line[at])) ++at;
  return at;
}

// "TypeError: x", "TypeError [CODE]: x", "java.io.IOException", "Traceback (most recent call last):"
bool begins_error(std::string_view line, std::size_t at) {
  const std::string_view rest = line.substr(at);
  if (rest.empty() || !is_letter(rest[0])) return false;
  if (rest.starts_with("Traceback (most recent call last)") ||
      rest.starts_with("Exception in thread "))
    return true;
  const std::size_t limit = std::min(rest.size(), kTextBytes);
  std::size_t end = 0;
  while (end < limit && (is_word(rest[end]) || rest[end] == '.')) ++end;
  const std::string_view name = rest.substr(0, end);
  if (!name.ends_with("Error") && !name.ends_with("Exception")) return false;
  const std::string_view behind = rest.substr(end);
  return behind.empty() || behind[0] == ':' || behind[0] == '\r' || behind.starts_with(" [");
}

std::optional<Severity> at_start(std::string_view line) {
  const std::size_t at = skip_decoration(line, 0);
  const std::string_view rest = line.substr(at);
  if (rest.size() >= 3 && rest[0] == '<' && is_digit(rest[1])) {
    std::uint64_t number = 0;
    std::size_t i = 1;
    for (; i < 4 && i < rest.size() && is_digit(rest[i]); ++i)
      number = number * 10 + static_cast<std::uint64_t>(rest[i] - '0');
    if (i < rest.size() && rest[i] == '>') return level_number(number % 8, Scale::kSyslog);
  }
  if (rest.size() >= 14 && is_digit(rest[1]) && is_digit(rest[2]) && is_digit(rest[3]) &&
      is_digit(rest[4]) && rest[5] == ' ' && is_digit(rest[6]) && is_digit(rest[7]) &&
      rest[8] == ':') {
    switch (rest[0]) {
      case 'I':
        return Severity::kInfo;
      case 'W':
        return Severity::kWarn;
      case 'E':
        return Severity::kError;
      case 'F':
        return Severity::kFatal;
      default:
        break;
    }
  }
  const std::size_t end = word_end(line, at);
  if (end - at < kShortestWord) return std::nullopt;
  const std::size_t colon = skip_decoration(line, end);
  if (colon < line.size() && line[colon] == ':')
    if (const auto level = level_word(line.substr(at, end - at))) return level;
  if (begins_error(line, at)) return Severity::kError;
  return std::nullopt;
}

std::optional<Severity> upper_case_at(std::string_view line, std::size_t at) {
  const char before = at > 0 ? line[at - 1] : ' ';
  if ((is_word(before) && !ends_colour(line, at)) || before == '=' || before == '/')
    return std::nullopt;
  if (before == '-' && at > 1 && is_letter(line[at - 2])) return std::nullopt;  // NON-FATAL
  std::size_t end = at;
  while (end < line.size() && is_upper(line[end]) && end - at <= kLongestWord) ++end;
  if (end < line.size() && is_word(line[end])) return std::nullopt;
  if (end + 1 < line.size() && line[end] == '-' && is_letter(line[end + 1]))
    return std::nullopt;  // ERROR-FREE
  return upper_case_word(line.substr(at, end - at));
}

std::optional<Severity> before_bracket(std::string_view line, std::size_t bracket) {
  std::size_t end = bracket;
  while (end > 0 && line[end - 1] == ' ') --end;  // "[WARN ]" of log4j's %-5p.
  std::size_t begin = end;
  while (begin > 0 && end - begin <= kLongestWord && is_letter(line[begin - 1])) --begin;
  if (begin == 0 || (line[begin - 1] != '[' && line[begin - 1] != ':')) return std::nullopt;
  return level_word(line.substr(begin, end - begin));
}

std::optional<Severity> after_equals(std::string_view line, std::size_t equals) {
  constexpr std::array<std::string_view, 4> kKeys{"level", "lvl", "severity", "loglevel"};
  if (equals < 3 || (line[equals - 1] != 'l' && line[equals - 1] != 'y')) return std::nullopt;
  std::size_t begin = equals;
  while (begin > 0 && equals - begin <= 8 && is_word(line[begin - 1])) --begin;
  if (std::find(kKeys.begin(), kKeys.end(), line.substr(begin, equals - begin)) == kKeys.end())
    return std::nullopt;
  std::size_t value = equals + 1;
  if (value < line.size() && line[value] == '"') ++value;
  const std::size_t end = word_end(line, value);
  if (end < line.size() && is_word(line[end])) return std::nullopt;
  return level_word(line.substr(value, end - value));
}

struct Marks {
  std::uint64_t upper = 0, brackets = 0, equals = 0;
};

Marks marks_of(const char* p) {
  Marks marks;
  for (unsigned i = 0; i < 64; i += 16) {
    const Block16 block(p + i);
    marks.upper |= static_cast<std::uint64_t>(block.upper_case()) << i;
    marks.brackets |= static_cast<std::uint64_t>(block.equal_to(']')) << i;
    marks.equals |= static_cast<std::uint64_t>(block.equal_to('=')) << i;
  }
  return marks;
}

std::optional<Severity> first_of(std::string_view line, std::size_t base,
                                 std::uint64_t candidates) {
  for (; candidates != 0; candidates &= candidates - 1) {
    const std::size_t at = base + static_cast<std::size_t>(std::countr_zero(candidates));
    if (at >= std::min(line.size(), kTextBytes)) break;
    const auto found = line[at] == ']'   ? before_bracket(line, at)
                       : line[at] == '=' ? after_equals(line, at)
                                         : upper_case_at(line, at);
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace

Severity read_text(std::string_view line) {
  static_assert(kTextBytes > 64 && kTextBytes <= 126 && kReadableBehindBytes >= 64);
  if (line.size() < kShortestWord) return Severity::kInfo;
  if (const auto found = at_start(line)) return *found;

  const Marks first = marks_of(line.data());
  const Marks second = line.size() > 64 ? marks_of(line.data() + 64) : Marks{};
  // Bit i: three upper-case letters from byte i on, and none before.
  const std::uint64_t first_words = first.upper & (first.upper >> 1U | second.upper << 63U) &
                                    (first.upper >> 2U | second.upper << 62U) &
                                    ~(first.upper << 1U);
  if (const auto found = first_of(line, 0, first_words | first.brackets | first.equals))
    return *found;
  if (line.size() <= 64) return Severity::kInfo;
  const std::uint64_t second_words = second.upper & second.upper >> 1U & second.upper >> 2U &
                                     ~(second.upper << 1U | first.upper >> 63U);
  return first_of(line, 64, second_words | second.brackets | second.equals)
      .value_or(Severity::kInfo);
}

}  // namespace pmx::capture::internal
