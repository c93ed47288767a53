// The event that an item was made of, read back from the item's bytes: what `pmx ship retry` needs
// of a dead letter whose sink is set up in another way now, or is another kind of store.
//
// Thread:  any.
// Bounds:  the item's size, a few times.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ship/event.h"

namespace pmx::ship {

// An Event's facts with memory of their own. What an item does not say is not set; the severity is
// not read, since the line says it.
struct ItemFacts {
  std::string text;  // The line, or the piece of it.
  StreamKind kind = StreamKind::kOut;
  RunInfo run;
  Origin
      origin;  // Without `app` and `log`, which a dead letter has. Labels may have replaced them.
  std::uint32_t part = 0, parts = 0;
};

// `coding` and `group` are Sink::coding() and Sink::name_of() of the sink that encoded it. nullopt:
// the bytes are no item of this coding.
std::optional<ItemFacts> read_item(std::string_view coding, std::string_view group,
                                   std::string_view item);
// As the items of each coding begin, for those of which nobody has said it. "": of none.
std::string_view coding_of_item(std::string_view item);

}  // namespace pmx::ship
