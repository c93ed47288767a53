// Why no parser: simdjson's On-Demand first indexes the whole line and needs memory for it (5 bytes
// a byte of the longest line, which may have a MiB, on every thread that reads lines); a level is
// mostly the first or second member, and a walk that skips strings and nested values 16 bytes at a
// time stops there and allocates nothing. On valid JSON it answers exactly what a parser says: a
// test and a fuzz target hold it to simdjson. On other input it is lenient: it looks at the line's
// last byte and at everything up to the level, not behind it.
//
// ns a line of 210 to 220 bytes (-O2, one core, best of 60), this walk / On-Demand up to the level:
//   level first (pino, zap, zerolog) 9 / 37      second (slog) 24 / 37      last of 8 members 68 /
//   44 behind a nested object of 12 strings 170 / 55                           nowhere 116 / 46
// So it loses where the level comes late or never, which costs less than a fifth of what capturing
// a line costs anyway. Tried: the positions of all quotes of 64 bytes at once in a register. Nested
// values got a third faster, pino's lines two thirds slower.
#include "capture/internal/json_level.h"

#include <bit>
#include <cstdint>
#include <optional>

#include "capture/internal/block.h"
#include "capture/internal/level_word.h"

namespace pmx::capture::internal {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Walk {
 public:
  // The object's bytes from its '{'.
  explicit Walk(std::string_view object)
      : p_(object.data() + 1), end_(object.data() + object.size()) {}

  // Each step answers false where the line is no JSON or ends; at_end() tells which.
  bool at_end() const { return p_ >= end_; }
  bool take(char c) {
    skip_blanks();
    if (at_end() || *p_ != c) return false;
    ++p_;
    skip_blanks();
    return true;
  }
  bool take_string(std::string_view& text) {
    if (at_end() || *p_ != '"') return false;
    const char* const begin = ++p_;
    p_ = closing_quote(p_);
    if (at_end()) return false;
    text = {begin, static_cast<std::size_t>(p_ - begin)};
    ++p_;
    return true;
  }
  bool skip_value() {
    if (at_end()) return false;
    std::string_view ignored;
    if (*p_ == '"') return take_string(ignored);
    if (*p_ == '{' || *p_ == '[') return skip_nested();
    if (*p_ != '-' && !is_digit(*p_) && *p_ != 't' && *p_ != 'f' && *p_ != 'n') return false;
    while (!at_end() && *p_ != ',' && *p_ != '}' && !is_blank(*p_)) ++p_;
    return true;
  }
  // A level if the value here is one; then the walk is over. Else the walk stays before the value.
  std::optional<Severity> peek_level(Scale scale) const {
    if (at_end()) return std::nullopt;
    if (*p_ == '"') {
      const char* const close = closing_quote(p_ + 1);
      if (close == end_) return std::nullopt;
      return level_word({p_ + 1, static_cast<std::size_t>(close - p_ - 1)});
    }
    std::uint64_t number = 0;
    const char* p = p_;
    for (; p < end_ && is_digit(*p) && p - p_ < 4; ++p)
      number = number * 10 + static_cast<std::uint64_t>(*p - '0');
    if (p == p_ || p == end_ || (*p != ',' && *p != '}' && !is_blank(*p))) return std::nullopt;
    return level_number(number, scale);
  }

 private:
  void skip_blanks() {
    while (!at_end() && is_blank(*p_)) ++p_;
  }
  // end_ where there is none.
  const char* closing_quote(const char* p) const {
    while (p < end_) {
      const Block16 block(p);
      const std::uint32_t hits = block.equal_to('"') | block.equal_to('\\');
      p += hits == 0 ? 16 : std::countr_zero(hits);
      if (hits == 0 || p >= end_) continue;
      if (*p == '"') return p;
      p += 2;
    }
    return end_;
  }
  bool skip_nested() {
    for (std::uint64_t depth = 0; !at_end();) {
      const Block16 block(p_);
      const std::uint32_t hits =
          block.equal_to('"') | block.equal_with_bit5('{') | block.equal_with_bit5('}');
      p_ += hits == 0 ? 16 : std::countr_zero(hits);
      if (hits == 0 || at_end()) continue;
      if (*p_ == '"') {
        p_ = closing_quote(p_ + 1);
      } else {
        depth += (*p_ | 0x20) == '{' ? 1 : ~std::uint64_t{0};
      }
      if (at_end()) return false;
      ++p_;
      if (depth == 0) return true;
    }
    return false;
  }

  const char* p_;
  const char* end_;
};

// What the walk met first.
enum class Found { kLevel, kEndOfObject, kBroken };

Found walk_members(Walk& walk, Severity& severity) {
  if (walk.take('}')) return Found::kEndOfObject;
  do {
    std::string_view key;
    if (!walk.take_string(key) || !walk.take(':')) return Found::kBroken;
    if (const LevelKey* const level = level_key(key)) {
      if (const auto found = walk.peek_level(level->scale)) {
        severity = *found;
        return Found::kLevel;
      }
    }
    if (!walk.skip_value()) return Found::kBroken;
  } while (walk.take(','));
  return walk.take('}') ? Found::kEndOfObject : Found::kBroken;
}

}  // namespace

LineFields read_json(std::string_view line, Piece piece) {
  while (is_blank(line.back())) line.remove_suffix(1);  // Ends at the '{' at the latest.
  LineFields fields;
  fields.unreadable = piece == Piece::kWhole && line.back() != '}';
  if (fields.unreadable) return fields;
  Walk walk(line);
  const Found found = walk_members(walk, fields.severity);
  const bool fits = found == Found::kLevel || (found == Found::kEndOfObject && walk.at_end()) ||
                    (found == Found::kBroken && walk.at_end() && piece == Piece::kFirst);
  fields.unreadable = !fits;
  return fields;
}

}  // namespace pmx::capture::internal
