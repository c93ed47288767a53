// Sinks as users write them: any text is a sink or one line of error, and what is taken reads back
// from its JSON as the same spec; the roster is kept so, and an app must not be lost with it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/sink_config.h"

using pmx::config::ConfiguredSink;

namespace {

void check(const pmx::Result<ConfiguredSink>& sink) {
  if (!sink) {
    if (sink.error().message().empty()) std::abort();
    return;
  }
  const pmx::Json json = pmx::config::sink_to_json(sink->spec);
  const auto again = pmx::config::sink_from_json(json);
  if (!again || !(again->spec == sink->spec) || !again->secret.empty()) std::abort();
  const auto parsed = pmx::Json::parse(json.dump());
  if (!parsed || !(*parsed == json)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  const std::string_view text(reinterpret_cast<const char*>(data), size_bytes);
  (void)pmx::config::sinks_from_json(std::string(text));
  check(pmx::config::sink_from_text(text));
  if (const auto json = pmx::Json::parse(text)) check(pmx::config::sink_from_json(*json));
  return 0;
}
