// Makes a line fit for a store: terminal sequences go, what is no UTF-8 becomes U+FFFD, NUL and
// other control bytes that stores refuse become visible, a progress bar's carriage returns leave
// its last state. The file keeps the worker's bytes; this is the shipped copy.
//
// Thread: any; nothing is kept between calls.
#pragma once

#include <string>
#include <string_view>

namespace pmx::ship {

struct CleanOptions {
  bool strip_ansi = true;
};

// `line` itself where nothing has to change (the common case: one pass, no copy); else a view into
// `scratch`, which is replaced and has 64 readable bytes behind the view. `line` needs 64 readable
// bytes behind it. May hold newlines (a joined stack trace); they stay.
std::string_view clean_text(std::string_view line, CleanOptions options, std::string& scratch);

// Where a line longer than `max_bytes` is cut: never inside a UTF-8 sequence. Pieces in order,
// together the whole.
std::size_t next_piece_bytes(std::string_view rest, std::size_t max_bytes);
inline constexpr std::size_t kMaxEventBytes = 256U << 10U;  // Loki's default max_line_size.

}  // namespace pmx::ship
