// clean_text() against its slow reference, with colours kept and without; what is clean stays as it
// is; what stands behind the line does not matter. Pieces are together the whole and each is UTF-8.
#include <cstdint>
#include <cstdlib>

#include "fuzz/clean_reference.h"
#include "ship/clean_text.h"

namespace {

[[noreturn]] void fail(std::string_view what, std::string_view text) {
  std::fprintf(stderr, "%.*s: %zu bytes\n", static_cast<int>(what.size()), what.data(),
               text.size());
  std::abort();
}

std::string clean(std::string_view text, bool strip_ansi, char behind) {
  std::string padded(text);
  padded.append(64, behind);
  std::string scratch = "of the line before";
  return std::string(pmx::ship::clean_text(std::string_view(padded).substr(0, text.size()),
                                           {.strip_ansi = strip_ansi}, scratch));
}

void check_pieces(std::string_view text, std::size_t max_bytes) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t size = pmx::ship::next_piece_bytes(rest, max_bytes);
    if (size == 0 || size > rest.size()) fail("a piece of no size", text);
    if (!pmx::ship::reference_is_utf8(rest.substr(0, size))) fail("a cut inside", text);
    if (size > max_bytes && size > 4) fail("a piece is too long", text);
    rest.remove_prefix(size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(data), size_bytes);
  for (const bool strip_ansi : {true, false}) {
    const std::string cleaned = clean(text, strip_ansi, 'x');
    if (cleaned != pmx::ship::reference_clean(text, strip_ansi)) fail("not the reference's", text);
    if (!pmx::ship::reference_is_utf8(cleaned)) fail("no UTF-8", text);
    if (clean(cleaned, strip_ansi, 'x') != cleaned) fail("clean, but changed", text);
    for (const char behind : {'\0', '\x1B', '\r', '\x80', 'm'})
      if (clean(text, strip_ansi, behind) != cleaned) fail("what is behind matters", text);
    for (const std::size_t max_bytes : {1U, 2U, 3U, 4U, 7U, 64U}) check_pieces(cleaned, max_bytes);
  }
  for (std::string_view rest = text; !rest.empty();)  // Of no UTF-8: an end, at least.
    rest.remove_prefix(std::max<std::size_t>(1, pmx::ship::next_piece_bytes(rest, 5)));
  return 0;
}
