// Severities are counted while a batch is still in the cache, before it is written, so each ns here
// is on the way of every line. ns a line with the search for its end (-O2, one core, best of 60):
//   pino 15, slog 32 (internal/json_level.cpp)
//   text of 216 bytes with a level 32, without 26, an access log 42, a short line without 22
// of which finding the newline takes 5 to 7. simdjson for three fields of every line costs 108.
#include "capture/fields.h"

#include <charconv>
#include <cstring>
#include <string>

#include "capture/internal/json_level.h"
#include "capture/internal/level_word.h"
#include "capture/internal/text_level.h"

namespace pmx::capture {

LineFields read_fields(std::string_view line, Piece piece) {
  std::size_t at = 0;
  while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
  if (at < line.size() && line[at] == '{') return internal::read_json(line.substr(at), piece);
  return {internal::read_text(line), false};
}

LineFields read_fields_copy(std::string_view line, Piece piece) {
  std::string padded(line);
  padded.resize(line.size() + kReadableBehindBytes);
  return read_fields(std::string_view(padded).substr(0, line.size()), piece);
}

std::optional<Severity> level_of_member(std::string_view key, std::string_view value,
                                        bool is_text) {
  const internal::LevelKey* const level = internal::level_key(key);
  if (level == nullptr) return std::nullopt;
  if (is_text) {
    std::string padded(value);
    padded.resize(value.size() + kReadableBehindBytes);
    return internal::level_word(std::string_view(padded).substr(0, value.size()));
  }
  std::uint64_t number = 0;
  const char* const end = value.data() + value.size();
  const auto read = std::from_chars(value.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || value.size() > 4) return std::nullopt;
  return internal::level_number(number, level->scale);
}

void count_severities(LineBatch& batch) {
  batch.severities = {};
  batch.parsed = true;
  bool counted_before = batch.continues;
  std::string_view rest = batch.bytes;
  while (!rest.empty()) {
    const void* const newline = std::memchr(rest.data(), '\n', rest.size());
    const std::size_t size =
        newline == nullptr
            ? rest.size()
            : static_cast<std::size_t>(static_cast<const char*>(newline) - rest.data());
    if (!counted_before) {
      const LineFields fields =
          read_fields(rest.substr(0, size), newline == nullptr ? Piece::kFirst : Piece::kWhole);
      batch.severities.add(fields.severity);
      batch.severities.unreadable =
          static_cast<std::uint16_t>(batch.severities.unreadable + fields.unreadable);
    }
    counted_before = false;
    rest.remove_prefix(newline == nullptr ? size : size + 1);
  }
}

}  // namespace pmx::capture
