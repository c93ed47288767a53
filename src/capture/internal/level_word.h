// Level words and numbers as loggers print them, looked up in a few ns: what parse_severity() of
// model/severity.h knows, and the abbreviations that only occur in raw lines.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/severity.h"

namespace pmx::capture::internal {

inline constexpr std::size_t kShortestWord = 3;
inline constexpr std::size_t kLongestWord = 11;

// All views here need eight readable bytes from their start.
// In any case; "ERROR+2" of Go's slog is "ERROR".
std::optional<Severity> level_word(std::string_view word);
// Words that mean a level also where they stand alone in upper case in the middle of a line. HTTP,
// LOG, ALERT and the like are levels for some loggers but ordinary words for most.
std::optional<Severity> upper_case_word(std::string_view word);

// What a number under a key means. kLevel: pino and bunyan (10 trace to 60 fatal) and Monolog (100
// debug to 600); below 10 nothing, since GELF's 3 and a game's level 3 cannot be told apart.
// kSyslog: 0 emergency to 7 debug, and Google Cloud's 100 debug to 800 emergency. kOtel:
// OpenTelemetry's 1 trace to 24 fatal.
enum class Scale : std::uint8_t { kLevel, kSyslog, kOtel };
std::optional<Severity> level_number(std::uint64_t number, Scale scale);

// The keys of a JSON line's top level that name its level, exactly as they are written.
struct LevelKey {
  std::string_view text;
  Scale scale;
};
const LevelKey* level_key(std::string_view key);  // nullptr: another key.

}  // namespace pmx::capture::internal
