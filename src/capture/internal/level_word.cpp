#include "capture/internal/level_word.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace pmx::capture::internal {
namespace {

// Up to eight letters as one number, so that a word is compared in one instruction.
constexpr std::uint64_t packed(std::string_view word) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < word.size() && i < 8; ++i)
    number |= static_cast<std::uint64_t>(static_cast<unsigned char>(word[i])) << (8 * i);
  return number;
}

enum class Alone : std::uint8_t {
  kNo,
  kYes
};  // Is it a level where it stands alone in upper case?

struct Word {
  std::string_view text;  // Lower case; those of more than eight letters differ in the first eight.
  Severity severity;
  Alone alone;
  std::uint64_t key = 0;
  constexpr Word(std::string_view t, Severity s, Alone a)
      : text(t), severity(s), alone(a), key(packed(t)) {}
};

// Sorted by length, then by how often they occur.
constexpr std::array kWords{
    Word{"err", Severity::kError, Alone::kYes},
    Word{"wrn", Severity::kWarn, Alone::kYes},
    Word{"inf", Severity::kInfo, Alone::kYes},
    Word{"dbg", Severity::kDebug, Alone::kYes},
    Word{"log", Severity::kInfo, Alone::kNo},
    Word{"trc", Severity::kTrace, Alone::kYes},
    Word{"ftl", Severity::kFatal, Alone::kYes},
    Word{"info", Severity::kInfo, Alone::kYes},
    Word{"warn", Severity::kWarn, Alone::kYes},
    Word{"http", Severity::kInfo, Alone::kNo},
    Word{"crit", Severity::kFatal, Alone::kYes},
    Word{"fail", Severity::kError, Alone::kNo},
    Word{"dbug", Severity::kDebug, Alone::kYes},
    Word{"eror", Severity::kError, Alone::kYes},
    Word{"trce", Severity::kTrace, Alone::kYes},
    Word{"error", Severity::kError, Alone::kYes},
    Word{"debug", Severity::kDebug, Alone::kYes},
    Word{"trace", Severity::kTrace, Alone::kYes},
    Word{"fatal", Severity::kFatal, Alone::kYes},
    Word{"silly", Severity::kTrace, Alone::kNo},
    Word{"panic", Severity::kFatal, Alone::kYes},
    Word{"alert", Severity::kFatal, Alone::kNo},
    Word{"emerg", Severity::kFatal, Alone::kYes},
    Word{"notice", Severity::kInfo, Alone::kYes},
    Word{"severe", Severity::kError, Alone::kYes},
    Word{"dpanic", Severity::kFatal, Alone::kYes},
    Word{"warning", Severity::kWarn, Alone::kYes},
    Word{"verbose", Severity::kDebug, Alone::kNo},
    Word{"critical", Severity::kFatal, Alone::kYes},
    Word{"emergency", Severity::kFatal, Alone::kNo},
    Word{"information", Severity::kInfo, Alone::kNo},
};
static_assert(std::is_sorted(kWords.begin(), kWords.end(), [](const Word& a, const Word& b) {
  return a.text.size() < b.text.size();
}));

constexpr std::array<std::uint8_t, kLongestWord + 2> first_of_length() {
  std::array<std::uint8_t, kLongestWord + 2> first{};
  for (std::size_t length = 0; length < first.size(); ++length)
    first[length] = static_cast<std::uint8_t>(
        std::count_if(kWords.begin(), kWords.end(),
                      [length](const Word& word) { return word.text.size() < length; }));
  return first;
}
constexpr auto kFirstOfLength = first_of_length();

// Both cases of a letter, and no other byte, become the letter's lower case by this bit.
constexpr std::uint64_t kCaseBits = 0x2020202020202020U;

const Word* find(std::string_view word) {
  if (word.size() < kShortestWord || word.size() > kLongestWord) return nullptr;
  std::uint64_t key;
  std::memcpy(&key, word.data(), sizeof key);
  key |= kCaseBits;
  if (word.size() < 8) key &= (std::uint64_t{1} << (8 * word.size())) - 1;
  for (std::size_t i = kFirstOfLength[word.size()]; i < kFirstOfLength[word.size() + 1]; ++i) {
    const Word& known = kWords[i];
    if (known.key != key) continue;
    const bool same =
        word.size() <= 8 || std::equal(word.begin() + 8, word.end(), known.text.begin() + 8,
                                       [](char a, char b) { return (a | 0x20) == b; });
    return same ? &known : nullptr;
  }
  return nullptr;
}

constexpr std::array kKeys{
    LevelKey{"level", Scale::kLevel},  // pino, bunyan, winston, zap, zerolog, slog, logrus, log4j2
    LevelKey{"severity", Scale::kSyslog},  // Google Cloud, rsyslog
    LevelKey{"levelname", Scale::kLevel},  // python-json-logger
    LevelKey{"log.level", Scale::kLevel},  // ECS
    LevelKey{"lvl", Scale::kLevel},        // log15
    LevelKey{"@l", Scale::kLevel},         // Serilog's compact format
    LevelKey{"Level", Scale::kLevel},      // Serilog
    LevelKey{"LogLevel", Scale::kLevel},   // Microsoft.Extensions.Logging
    LevelKey{"loglevel", Scale::kLevel},
    LevelKey{"log_level", Scale::kLevel},
    LevelKey{"level_name", Scale::kLevel},    // Monolog
    LevelKey{"severityText", Scale::kLevel},  // OpenTelemetry
    LevelKey{"severityNumber", Scale::kOtel},
    LevelKey{"PRIORITY", Scale::kSyslog},  // journald
};

constexpr std::uint64_t kFirstLetters = [] {
  std::uint64_t letters = 0;  // Bit: the letter's low six bits.
  for (const LevelKey& key : kKeys)
    letters |= std::uint64_t{1} << (static_cast<unsigned char>(key.text[0]) & 63U);
  return letters;
}();

Severity syslog_severity(std::uint64_t number) {
  constexpr std::array kBySyslog{Severity::kFatal, Severity::kFatal, Severity::kFatal,
                                 Severity::kError, Severity::kWarn,  Severity::kInfo,
                                 Severity::kInfo,  Severity::kDebug};
  return kBySyslog[number];
}

std::optional<Severity> pino_or_monolog(std::uint64_t number) {
  if (number < 10) return std::nullopt;
  if (number < 100) return static_cast<Severity>(std::min<std::uint64_t>(number / 10, 6) - 1);
  constexpr std::array kByHundred{Severity::kDebug, Severity::kInfo, Severity::kWarn,
                                  Severity::kError};
  return number < 500 ? kByHundred[number / 100 - 1] : Severity::kFatal;
}

std::optional<Severity> syslog_or_google(std::uint64_t number) {
  if (number < 8) return syslog_severity(number);
  if (number < 100) return std::nullopt;
  constexpr std::array kByHundred{Severity::kDebug, Severity::kInfo, Severity::kInfo,
                                  Severity::kWarn, Severity::kError};
  return number < 600 ? kByHundred[number / 100 - 1] : Severity::kFatal;
}

}  // namespace

std::optional<Severity> level_word(std::string_view word) {
  const std::size_t sign = word.find_first_of("+-");
  const Word* const known = find(word.substr(0, sign));
  return known == nullptr ? std::nullopt : std::optional(known->severity);
}

std::optional<Severity> upper_case_word(std::string_view word) {
  const Word* const known = find(word);
  return known == nullptr || known->alone == Alone::kNo ? std::nullopt
                                                        : std::optional(known->severity);
}

std::optional<Severity> level_number(std::uint64_t number, Scale scale) {
  switch (scale) {
    case Scale::kLevel:
      return pino_or_monolog(number);
    case Scale::kSyslog:
      return syslog_or_google(number);
    case Scale::kOtel:
      if (number < 1 || number > 24) return std::nullopt;
      return static_cast<Severity>((number - 1) / 4);
  }
  return std::nullopt;
}

const LevelKey* level_key(std::string_view key) {
  // Most keys are none, and most of those begin otherwise.
  if (key.empty() || (kFirstLetters >> (static_cast<unsigned char>(key[0]) & 63U) & 1U) == 0)
    return nullptr;
  for (const LevelKey& known : kKeys)
    if (known.text == key) return &known;
  return nullptr;
}

}  // namespace pmx::capture::internal
