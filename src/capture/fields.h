// Reads out of a line how bad it says it is: JSON of the usual loggers by key, text by a small
// table. docs/FORMATS.md, "Severities", has both tables for users.
//
// Thread:  any; nothing is kept between calls and nothing is allocated.
// Bounds:  a JSON line is read up to its level, a text line up to kTextBytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "model/line_batch.h"
#include "model/severity.h"

namespace pmx::capture {

// Lines are read in steps of 64 bytes: this many bytes behind a view must be readable (what they
// are is of no matter). A ring and every batch of it have them; read_copy() makes them.
inline constexpr std::size_t kReadableBehindBytes = 64;
inline constexpr std::size_t kTextBytes =
    96;  // A text line names its level within these, or not at all.

struct LineFields {
  Severity severity = Severity::kInfo;
  bool unreadable = false;  // Begins with '{' and is not JSON.
  bool operator==(const LineFields&) const = default;
};

// kFirst: the line goes on in another batch, so a missing end is no fault of it.
enum class Piece { kWhole, kFirst };

// `line` without its newline (a CR before it does not matter); needs kReadableBehindBytes behind
// it.
LineFields read_fields(std::string_view line, Piece piece = Piece::kWhole);
LineFields read_fields_copy(std::string_view line, Piece piece = Piece::kWhole);  // Needs none.

// How bad a line says it is by a JSON member of this key and value (a string's without its quotes,
// as written); nullopt: it says nothing of it. Of several members the first that does counts.
std::optional<Severity> level_of_member(std::string_view key, std::string_view value, bool is_text);

inline Severity severity_of(std::string_view line) { return read_fields(line).severity; }

// Fills `severities` and sets `parsed`. Needs kReadableBehindBytes behind the batch. A line that is
// cut into pieces counts once, by what its first piece shows: a first line that `continues` does
// not.
void count_severities(LineBatch& batch);

}  // namespace pmx::capture
