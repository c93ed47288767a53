// Makes a line fit for a store: terminal sequences go, what is no UTF-8 becomes U+FFFD, control
// bytes that stores refuse become visible, a progress bar's carriage returns leave its last state.
// The file keeps the worker's bytes; this is the shipped copy.
//
//   ESC sequences     go: CSI, OSC and the like up to BEL or ST, two-byte ones. Where an OSC has no
//                     end in its line only its ESC and introducer go, so that no text is lost.
//   carriage return   of a line's end: goes. Before: what stands behind the last one is kept.
//   bytes below 0x20  but tab and newline: as JSON writes them, six bytes, "\u0000". A JSON string
//                     that had one raw becomes valid by it.
//   invalid UTF-8     one U+FFFD for each maximal subpart (WHATWG Encoding, Unicode 3.9).
//
// Thread: any; nothing is kept between calls.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pmx::ship {

struct CleanOptions {
  bool strip_ansi = true;  // Else ESC stays as it is.
};

// A part of `line` where nothing has to be replaced (the common case: one pass, no copy); else a
// view into `scratch`, which is replaced and has 64 readable bytes behind the view. Always valid
// UTF-8. `line` needs 64 readable bytes behind it. May hold newlines (a joined stack trace); they
// stay, and carriage returns are each line's own.
std::string_view clean_text(std::string_view line, CleanOptions options, std::string& scratch);

// Where a line longer than `max_bytes` is cut: never inside a UTF-8 sequence, and never at 0 where
// there is something left. Pieces in order, together the whole. A sequence longer than `max_bytes`
// is a piece of its own.
std::size_t next_piece_bytes(std::string_view rest, std::size_t max_bytes);
inline constexpr std::size_t kMaxEventBytes = 256U << 10U;  // Loki's default max_line_size.

}  // namespace pmx::ship
