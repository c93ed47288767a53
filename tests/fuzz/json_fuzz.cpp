// The JSON of API, state and settings: any text is a value or an error, and what was printed reads
// back as the same value.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const auto value = pmx::Json::parse({reinterpret_cast<const char*>(data), size_bytes});
  if (!value) {
    if (value.error().message().empty()) std::abort();
    return 0;
  }
  const std::string text = value->dump();
  const auto again = pmx::Json::parse(text);
  if (!again || !(*again == *value) || again->dump() != text) std::abort();
  const auto indented = pmx::Json::parse(value->dump(2));
  if (!indented || !(*indented == *value)) std::abort();
  return 0;
}
