// Its own unit, so that what brings another reader need not link simdjson's.
#include "ship/bulk_sink.h"
#include "ship/json_fields.h"

namespace pmx::ship {

std::unique_ptr<Sink> make_bulk_sink(SinkContext context) {
  // Shared by the two functions only: std::function wants to be copied.
  const auto reader = std::make_shared<JsonReader>();
  return make_bulk_sink(std::move(context),
                        LineFields{[reader](std::string_view line) -> const JsonFields& {
                                     return reader->read(line);
                                   },
                                   [reader](std::string_view key) { return reader->value(key); }});
}

}  // namespace pmx::ship
