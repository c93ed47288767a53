// How one kind of store is spoken to: how an event becomes bytes, which events may share a request,
// what an answer means. No state of delivery is here: that is lane.h's.
//
// A request's body is a prefix that depends on the group (and the items' total size), the items'
// bytes one behind the other, and a fixed suffix, then compressed. So any subset of a request's
// items, in their order, can be framed again without the events that they came from: after a 413, a
// partial refusal, or a kill -9. (Loki's JSON: the first item's comma is a space in the body, so
// that items cut out of a body differ from encode()'s in that byte, which frame() does not mind.)
//
// Owns:       the table of groups. Thread: ship.
// Invariants: encode() and frame() are pure: the same event gives the same bytes, for ever.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "model/sink_spec.h"
#include "ship/event.h"
#include "ship/http_transport.h"

namespace pmx::ship {

// One event of a request, encoded.
struct Item {
  std::uint32_t size_bytes = 0;
  std::uint32_t lines = 1;  // 0: a piece of a line whose first piece counts it.
  std::uint64_t seq = 0;
  std::int64_t time_ns = 0;
  std::uint32_t source = 0;  // Index of its log among the batch's.
  std::uint32_t reserved = 0;
};
static_assert(sizeof(Item) == 32);  // As flight.h writes it.

// What became of one item.
struct ItemVerdict {
  enum class Kind : std::uint8_t {
    kDelivered,
    kDuplicate,  // Was there already: delivered.
    kRetry,      // Not for now; this item again, framed again.
    kRefused,    // Never: to the dead letters.
  } kind = Kind::kDelivered;
  int status = 0;
  std::string reason;  // The store's own words, one line. "" where delivered.
};

// What an answer means.
struct Verdict {
  enum class Kind : std::uint8_t {
    kDelivered,  // All of it.
    kRetry,      // The same bytes again, after a backoff or `retry_after`.
    kBlocked,    // Nobody can deliver until somebody acts: 401, 403, 404, 260. Held, tried slowly.
    kSplit,      // Too large, or it cannot be said which item is at fault: each half by itself.
    kItems,      // `items` says it for each.
  } kind = Kind::kDelivered;
  std::string why;  // One line for people: "429: ingestion rate limit exceeded …".
  std::optional<std::chrono::milliseconds> retry_after = {};
  bool backpressure = false;  // Fewer requests at a time, please: 429, 5xx, a timeout.
  std::vector<ItemVerdict> items = {};
};

enum class Codec : std::uint8_t { kNone, kGzip, kZstd, kSnappy };

struct Framed {
  std::string body;  // Compressed.
  Codec codec = Codec::kNone;
  std::uint32_t prefix_bytes = 0;  // Of the uncompressed body, in front of the items.
  std::uint32_t suffix_bytes = 0;  // And behind them.
};

// What a store says of itself before it gets again what it may have.
enum class Readiness : std::uint8_t {
  kAway,      // Nobody answers for it.
  kStarting,  // It answers, and asks for patience.
  kReady,
  kUnknown,  // Something answers.
};

class Sink {
 public:
  using Group = std::uint32_t;
  virtual ~Sink() = default;

  // The store's stream (Loki: label set; bulk: index) that the event belongs to. Called for every
  // event: no allocation where origin and kind are the last one's.
  virtual Group group_of(const Event& event) = 0;
  virtual std::string name_of(
      Group group) const = 0;  // For people, and to find it after a restart.
  virtual Group group_named(std::string_view name) = 0;

  virtual void encode(const Event& event, std::string& out) const = 0;  // Appends one item.
  // What encode() makes, "loki/json": items of another coding cannot be sent by this sink.
  virtual std::string coding() const = 0;
  virtual Codec codec() const = 0;  // Of frame(), which request() tells the store of.
  virtual Framed frame(Group group, std::string_view items) const = 0;
  // `attempt` counts from 0: stores with several hosts take another one.
  virtual HttpRequest request(Group group, std::string body, unsigned attempt) const = 0;
  // `bytes` are the items' bytes, one behind the other; "" where the status is below 400.
  virtual Verdict judge(const HttpAnswer& answer, std::span<const Item> items,
                        std::string_view bytes) const = 0;
  virtual std::string text_of(
      std::string_view item) const = 0;  // The line in it, for dead letters.

  // A store may not know a repeat for one right after its start. What to ask it then; nullopt: it
  // does at any time.
  virtual std::optional<HttpRequest> readiness_request(unsigned /*attempt*/) const {
    return std::nullopt;
  }
  virtual Readiness readiness(const HttpAnswer& /*answer*/) const { return Readiness::kReady; }
  // Again, though the store may have it: it counts twice there.
  virtual void sent_again(Group /*group*/, std::size_t /*bytes*/) {}
  // What group_of() goes by and the next process has to know, to go on as this one would have:
  // kept in <state>/ship/<sink id>/rates.json before a batch is sent. nullopt: as it was when last
  // asked.
  virtual std::optional<std::string> take_rates() { return std::nullopt; }
  virtual void restore_rates(std::string_view /*json*/) {}
};

// What a sink needs beyond its spec.
struct SinkContext {
  SinkSpec spec;
  std::string secret;  // Password, token or key; "": none.
  // A top-level field of a line that is JSON, as text (JsonReader). The view is valid until the
  // next call. Asked only where spec.label_fields are set; none given: lines have no fields.
  std::function<std::optional<std::string_view>(std::string_view line, std::string_view key)>
      field_of = {};
  // By which a sink measures what it is asked to encode in a second. nullptr: by the events' times.
  const Clock* clock = nullptr;
};

}  // namespace pmx::ship
