#include "redact/internal/card_number.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace pmx::redact::internal {
namespace {

constexpr std::size_t kMinDigits = 13, kMaxDigits = 19;

struct Issuer {
  std::uint32_t first, last;  // Of the number's first four digits.
  std::array<std::size_t, 3> sizes;
};
// The ranges that networks publish. Maestro's are left out: they overlap with everything.
constexpr std::array kIssuers{
    Issuer{4000, 4999, {13, 16, 19}},  // Visa
    Issuer{5100, 5599, {16, 16, 16}},  // Mastercard
    Issuer{2221, 2720, {16, 16, 16}},  // Mastercard
    Issuer{3400, 3499, {15, 15, 15}},  // American Express
    Issuer{3700, 3799, {15, 15, 15}},  // American Express
    Issuer{3000, 3059, {14, 16, 19}},  // Diners Club
    Issuer{3600, 3699, {14, 16, 19}},  // Diners Club
    Issuer{3800, 3999, {14, 16, 19}},  // Diners Club
    Issuer{3528, 3589, {16, 17, 19}},  // JCB
    Issuer{6011, 6011, {16, 17, 19}},  // Discover
    Issuer{6440, 6599, {16, 17, 19}},  // Discover
    Issuer{6200, 6299, {16, 17, 19}},  // UnionPay
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_separator(char c) { return c == ' ' || c == '-'; }

bool is_card(std::string_view digits) {
  std::uint32_t first = 0;
  for (const char c : digits.substr(0, 4)) first = first * 10 + static_cast<std::uint32_t>(c - '0');
  const bool issued = std::any_of(kIssuers.begin(), kIssuers.end(), [&](const Issuer& issuer) {
    return first >= issuer.first && first <= issuer.last &&
           std::find(issuer.sizes.begin(), issuer.sizes.end(), digits.size()) != issuer.sizes.end();
  });
  if (!issued) return false;
  unsigned sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    const auto digit = static_cast<unsigned>(digits[i] - '0') * (twice ? 2U : 1U);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 == 0;
}

// A number that a name, a fraction or a longer word goes on with is none.
bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  const auto joins = [&](std::size_t at, std::size_t beyond) {
    return is_alnum(text[at]) || text[at] == '_' ||
           (text[at] == '.' && beyond < text.size() && is_digit(text[beyond]));
  };
  return (begin == 0 || !joins(begin - 1, begin - 2)) &&
         (end == text.size() || !joins(end, end + 1));
}

// As people write them: no separators, or the same one after groups of four, of which the last has
// up to four; 4-6-5 and 4-6-4 on 15 and 14 digits.
class Groups {
 public:
  // The digit at `at` goes on; false where no card is written so.
  bool take_separator(char separator) {
    if (count_ == 0) separator_ = separator;
    if (separator != separator_ || size_ < 4 || count_ == 4) return false;
    if (size_ != 4 && !(count_ == 1 && size_ == 6)) return false;
    six_ = six_ || size_ == 6;
    ++count_;
    size_ = 0;
    return true;
  }
  void take_digit() { ++size_; }
  bool may_end() const {
    return count_ == 0 || (six_ ? count_ == 2 && (size_ == 5 || size_ == 4) : size_ <= 4);
  }

 private:
  std::size_t count_ = 0, size_ = 0;
  char separator_ = '\0';
  bool six_ = false;
};

// Behind the card number that begins at `begin`; `begin` where there is none.
std::size_t card_end(std::string_view text, std::size_t begin, std::size_t end) {
  if (text[begin] < '2' || text[begin] > '6') return begin;  // Times in ms begin with 1: be quick.
  std::array<char, kMaxDigits> digits;
  std::size_t count = 0, found = begin;
  Groups groups;
  for (std::size_t at = begin; at < end; ++at) {
    if (is_separator(text[at])) {
      if (!groups.take_separator(text[at])) break;
      continue;
    }
    if (count == kMaxDigits) break;
    digits[count++] = text[at];
    groups.take_digit();
    const bool group_ends = at + 1 == end || is_separator(text[at + 1]);
    if (count >= kMinDigits && group_ends && groups.may_end() && is_card({digits.data(), count}) &&
        stands_alone(text, begin, at + 1))
      found = at + 1;
  }
  return found;
}

}  // namespace

Part digit_run_around(std::string_view text, std::size_t at) {
  const auto goes_on = [&](std::size_t i, std::size_t next) {
    return is_digit(text[i]) ||
           (is_separator(text[i]) && next < text.size() && is_digit(text[next]));
  };
  Part run{at, at + 1};
  while (run.begin > 0 && goes_on(run.begin - 1, run.begin - 2)) --run.begin;
  while (run.end < text.size() && goes_on(run.end, run.end + 1)) ++run.end;
  return run;
}

Part card_number_in(std::string_view text, std::size_t begin, std::size_t end) {
  for (std::size_t at = begin; at < end; ++at) {
    const bool group_begins = is_digit(text[at]) && (at == 0 || !is_digit(text[at - 1]));
    if (!group_begins) continue;
    if (const std::size_t found = card_end(text, at, end); found != at) return {at, found};
  }
  return {};
}

}  // namespace pmx::redact::internal
