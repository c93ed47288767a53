// Levels of lines: on valid JSON the same as simdjson finds; on anything else no crash, no read
// past the allowed 64 bytes, and no dependence on what those bytes are.
#include <cstdio>
#include <cstdlib>

#include "fuzz/reference.h"

namespace {

[[noreturn]] void fail(std::string_view line, const std::string& what) {
  std::fprintf(stderr, "%s\nin the line: %.*s\n", what.c_str(), static_cast<int>(line.size()),
               line.data());
  std::abort();
}

pmx::capture::LineFields read_before(std::string_view line, char behind) {
  std::string padded(line);
  padded.append(pmx::capture::kReadableBehindBytes, behind);
  return pmx::capture::read_fields(std::string_view(padded).substr(0, line.size()));
}

void check_line(std::string_view line) {
  const std::string difference = pmx::capture::disagreement_of_fields(line);
  if (!difference.empty()) fail(line, difference);
  const auto fields = pmx::capture::read_fields_copy(line);
  for (const char behind : {'\n', 'E', '"', '}', '\\', ']', '1'})
    if (!(read_before(line, behind) == fields))
      fail(line, "the bytes behind the line change what it says");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(data), size_bytes);
  check_line(text);
  std::string padded(text);
  padded.append(pmx::capture::kReadableBehindBytes, 'x');
  pmx::LineBatch batch;
  batch.bytes = std::string_view(padded).substr(0, size_bytes);
  pmx::capture::count_severities(batch);

  pmx::SeverityCounts one_by_one;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t newline = rest.find('\n');
    const bool whole = newline != std::string_view::npos;
    const std::string_view line = rest.substr(0, newline);
    if (whole) check_line(line);
    const auto fields = pmx::capture::read_fields_copy(
        line, whole ? pmx::capture::Piece::kWhole : pmx::capture::Piece::kFirst);
    one_by_one.add(fields.severity);
    if (fields.unreadable) ++one_by_one.unreadable;
    rest.remove_prefix(whole ? newline + 1 : rest.size());
  }
  if (!(batch.severities == one_by_one)) fail(text, "a batch counts otherwise than its lines");
  return 0;
}
