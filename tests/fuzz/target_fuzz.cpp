// Targets of requests: what is taken stays below the folder, and written as we would write it, it
// is taken for the same. Ranges: never more than the file.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/byte_range.h"
#include "http/request_path.h"

namespace {

using pmx::http::RequestPath;

[[noreturn]] void fail(std::string_view what, std::string_view text) {
  std::fprintf(stderr, "%.*s: %zu bytes\n", static_cast<int>(what.size()), what.data(),
               text.size());
  std::abort();
}

// "/a%20b/c" of "a b/c", each name checked.
std::string written(std::string_view path, std::string_view text) {
  std::string target;
  bool dotfile = false;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    if (name.empty() || name == "." || name == "..") fail("a name that leads elsewhere", text);
    for (const char c : name)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) fail("a control character", text);
    dotfile |= name.front() == '.' && !(target.empty() && name == ".well-known");
    target += "/" + pmx::http::percent_encoded(name);
    path.remove_prefix(std::min(name.size() + 1, path.size()));
  }
  return dotfile ? "dotfile" + target : target;
}

void check_target(std::string_view text) {
  const auto parsed = pmx::http::parse_target(text);
  if (!parsed || parsed->nameless) return;
  std::string target = written(parsed->path, text);
  const bool dotfile = target.starts_with("dotfile");
  if (dotfile != parsed->dotfile) fail("a dotfile, or none", text);
  if (dotfile) target.erase(0, target.find('/'));
  if (target.empty() || parsed->folder) target += '/';
  const auto again = pmx::http::parse_target(target + parsed->query);
  if (!again || again->path != parsed->path || again->query != parsed->query ||
      again->dotfile != parsed->dotfile || again->folder != parsed->folder)
    fail("not the same when it is written again", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(data), size_bytes);
  check_target(text);
  check_target("/" + std::string(text));
  for (const std::uint64_t file_size : {0ULL, 1ULL, 100ULL, ~0ULL})
    for (const std::string& header : {std::string(text), "bytes=" + std::string(text)})
      if (const auto range = pmx::http::parse_range(header, file_size))
        if (range->size > file_size || range->offset > file_size - range->size)
          fail("a range behind the end", text);
  return 0;
}
