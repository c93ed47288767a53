#include "base/base64.h"

#include <array>

namespace pmx {
namespace {

using Letters = std::array<char, 64>;
using Values = std::array<std::uint8_t, 256>;
constexpr std::uint8_t kNoLetter = 0xFF;

constexpr Letters letters_of(Base64 alphabet) {
  Letters letters{};
  std::size_t at = 0;
  for (char c = 'A'; c <= 'Z'; ++c) letters[at++] = c;
  for (char c = 'a'; c <= 'z'; ++c) letters[at++] = c;
  for (char c = '0'; c <= '9'; ++c) letters[at++] = c;
  letters[at++] = alphabet == Base64::kStandard ? '+' : '-';
  letters[at] = alphabet == Base64::kStandard ? '/' : '_';
  return letters;
}

constexpr Values values_of(const Letters& letters) {
  Values values{};
  for (std::uint8_t& value : values) value = kNoLetter;
  for (std::size_t i = 0; i < letters.size(); ++i)
    values[static_cast<unsigned char>(letters[i])] = static_cast<std::uint8_t>(i);
  return values;
}

constexpr Letters kStandardLetters = letters_of(Base64::kStandard);
constexpr Letters kUrlSafeLetters = letters_of(Base64::kUrlSafe);
constexpr Values kStandardValues = values_of(kStandardLetters);
constexpr Values kUrlSafeValues = values_of(kUrlSafeLetters);

Error bad(std::string_view what, std::size_t at) {
  return invalid("base64: " + std::string(what) + " at byte " + std::to_string(at));
}

}  // namespace

void base64_append(std::string& out, std::string_view bytes, Base64 alphabet) {
  const Letters& letters = alphabet == Base64::kStandard ? kStandardLetters : kUrlSafeLetters;
  out.reserve(out.size() + base64_size(bytes.size()));
  const auto byte = [bytes](std::size_t at) {
    return std::uint32_t{static_cast<unsigned char>(bytes[at])};
  };
  std::size_t at = 0;
  for (; at + 3 <= bytes.size(); at += 3) {
    const std::uint32_t word = byte(at) << 16U | byte(at + 1) << 8U | byte(at + 2);
    const std::array four{letters[word >> 18U], letters[word >> 12U & 63U],
                          letters[word >> 6U & 63U], letters[word & 63U]};
    out.append(four.data(), four.size());
  }
  const std::size_t left = bytes.size() - at;
  if (left == 0) return;
  const std::uint32_t word = byte(at) << 16U | (left == 2 ? byte(at + 1) << 8U : 0U);
  out += letters[word >> 18U];
  out += letters[word >> 12U & 63U];
  if (left == 2) out += letters[word >> 6U & 63U];
  if (alphabet == Base64::kStandard) out.append(3 - left, '=');
}

std::string base64_encode(std::string_view bytes, Base64 alphabet) {
  std::string out;
  base64_append(out, bytes, alphabet);
  return out;
}

Result<std::string> base64_decode(std::string_view text, Base64 alphabet) {
  const Values& values = alphabet == Base64::kStandard ? kStandardValues : kUrlSafeValues;
  const std::size_t padded_bytes = text.size();
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  if (padding != 0 && padded_bytes % 4 != 0) return bad("wrong padding", text.size());
  if (text.size() % 4 == 1) return bad("cut off", text.size());
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t word = 0;
  unsigned bits = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::uint8_t value = values[static_cast<unsigned char>(text[at])];
    if (value == kNoLetter) return bad("no letter of the alphabet", at);
    word = (word << 6U | value) & 0xFFFFU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(word >> bits & 0xFFU);
  }
  if ((word & ((1U << bits) - 1U)) != 0) return bad("bits behind the last byte", text.size());
  return out;
}

}  // namespace pmx
