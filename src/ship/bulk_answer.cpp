// An answer has an object for each item. Where nothing failed it says so at its top, and then only
// the items are counted: a request has up to 20,000, and reading them costs ms. Where something
// failed it is read with simdjson, in one pass: after a timeout all items of a request may be
// conflicts of 300 bytes each.
//
// Elasticsearch says with 400 both that a line is wrong and that the cluster is not ready for any.
// The second kind is told by type and reason, as they are in the sources of Elasticsearch
// (IngestService, ShardLimitValidator, IndexClosedException, TransportBulkAction); daily indices
// meet the limit of shards at midnight, and every line would be a dead letter.
#include "ship/bulk_answer.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace pmx::ship {
namespace {

using ItemKind = ItemVerdict::Kind;
namespace od = simdjson::ondemand;

constexpr std::size_t kMaxReasonBytes = 500, kTopBytes = 128;
// What counts as one item where none failed: with our filter_path an item is its status.
constexpr std::string_view kStatusKey = "\"status\":";

// What is to be done about one failed item.
enum class Reaction : std::uint8_t { kDuplicate, kRetry, kRefuse, kHold };

struct Rule {
  int from, to;             // Statuses.
  std::string_view type;    // "": any.
  std::string_view reason;  // A piece of it; "": any.
  Reaction reaction;
};
// The first that fits.
constexpr std::array kRules{
    Rule{409, 409, "version_conflict_engine_exception", "", Reaction::kDuplicate},
    Rule{409, 409, "", "", Reaction::kRetry},
    Rule{408, 408, "", "", Reaction::kRetry},
    Rule{429, 429, "", "", Reaction::kRetry},
    Rule{500, 599, "", "", Reaction::kRetry},
    Rule{401, 401, "", "", Reaction::kHold},
    Rule{403, 403, "", "", Reaction::kHold},
    Rule{404, 404, "", "", Reaction::kHold},
    Rule{400, 400, "index_closed_exception", "", Reaction::kHold},
    Rule{400, 400, "invalid_index_name_exception", "", Reaction::kHold},
    Rule{400, 400, "", "shards, but this cluster currently has [", Reaction::kHold},
    Rule{400, 400, "illegal_argument_exception", "pipeline with id [", Reaction::kHold},
    Rule{400, 400, "illegal_argument_exception", "no write index is defined", Reaction::kHold},
    Rule{400, 499, "", "", Reaction::kRefuse},
};

Reaction reaction_to(int status, std::string_view type, std::string_view reason) {
  for (const Rule& rule : kRules)
    if (status >= rule.from && status <= rule.to && (rule.type.empty() || rule.type == type) &&
        (rule.reason.empty() || reason.find(rule.reason) != reason.npos))
      return rule.reaction;
  return Reaction::kRetry;  // No status of an item that anybody knows.
}

// One line, bounded, cut between characters.
std::string one_line(std::string_view text) {
  std::size_t end = std::min(text.size(), kMaxReasonBytes);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;
  std::string made(text.substr(0, end));
  for (char& c : made)
    if (static_cast<unsigned char>(c) < 0x20U || c == 0x7F) c = ' ';
  if (end < text.size()) made += "…";
  return made;
}

std::string words(std::string_view type, std::string_view reason) {
  std::string made(type);
  if (!type.empty() && !reason.empty()) made += ": ";
  return one_line(made.append(reason));
}

// "" where it is none, or has an escape that stands for no character.
std::string text_at(od::object& object, std::string_view key) {
  std::string_view text;
  if (object[key].get_string().get(text) != simdjson::SUCCESS) return {};
  return std::string(text);
}

struct StoreError {
  std::string type, reason;
};
// {"type":…,"reason":…}, or only words.
StoreError error_in(od::value value) {
  StoreError made;
  od::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) return made;
  if (type == od::json_type::object) {
    od::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return made;
    made.type = text_at(object, "type");
    made.reason = text_at(object, "reason");
  } else if (type == od::json_type::string) {
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS) made.reason = text;
  }
  return made;
}

struct ReadItem {
  int status = 0;
  StoreError error;
  bool failure_store = false;
};

// {"create":{"status":400,"error":{…}}}. False: it is none.
bool read_item(od::value value, ReadItem& made) {
  od::object outer, item;
  if (value.get_object().get(outer) != simdjson::SUCCESS) return false;
  for (auto action : outer) {
    if (action.value().get_object().get(item) != simdjson::SUCCESS) return false;
    for (auto member : item) {
      std::string_view key;
      if (member.unescaped_key().get(key) != simdjson::SUCCESS) return false;
      if (key == "status") {
        std::int64_t status = 0;
        if (member.value().get_int64().get(status) != simdjson::SUCCESS) return false;
        made.status = status >= 100 && status <= 999 ? static_cast<int>(status) : 0;
      } else if (key == "error") {
        od::value error;
        if (member.value().get(error) != simdjson::SUCCESS) return false;
        made.error = error_in(error);
      } else if (key == "failure_store") {
        std::string_view use;
        made.failure_store =
            member.value().get_string().get(use) == simdjson::SUCCESS && use == "used";
      }
    }
    return made.status != 0;
  }
  return false;
}

// What the items of an answer add up to.
class Tally {
 public:
  explicit Tally(std::size_t items) { verdict_.items.reserve(items); }

  void add(const ReadItem& item) {
    const bool stored = item.status >= 200 && item.status < 300;
    if (stored) {
      special_ = special_ || item.failure_store;
      push(ItemKind::kDelivered, item, item.failure_store ? std::string(kFailureStore) : "");
      return;
    }
    const Reaction reaction = reaction_to(item.status, item.error.type, item.error.reason);
    if (reaction == Reaction::kDuplicate) {
      special_ = true;
      push(ItemKind::kDuplicate, item, "");
      return;
    }
    std::string reason = words(item.error.type, item.error.reason);
    Failed& failed = failed_[static_cast<std::size_t>(reaction)];
    if (failed.count++ == 0) failed.first = std::to_string(item.status) + ": " + reason;
    if (reaction == Reaction::kRetry) verdict_.backpressure = true;
    push(reaction == Reaction::kRefuse ? ItemKind::kRefused : ItemKind::kRetry, item,
         std::move(reason));
  }

  Verdict verdict() && {
    const Failed& retry = failed(Reaction::kRetry);
    const Failed& refused = failed(Reaction::kRefuse);
    const Failed& held = failed(Reaction::kHold);
    const std::size_t failures = retry.count + refused.count + held.count;
    if (failures == 0) {
      if (special_) return items();
      return whole(Verdict::Kind::kDelivered, "");
    }
    const auto tell = [this](const Failed& what, std::string_view word) {
      if (what.count == 0) return;
      if (!verdict_.why.empty()) verdict_.why += "; ";
      verdict_.why += std::to_string(what.count) + " of " + std::to_string(verdict_.items.size()) +
                      " " + std::string(word) + ": " + what.first;
    };
    if (held.count == failures) return whole(Verdict::Kind::kBlocked, held.first);
    if (retry.count == verdict_.items.size()) return whole(Verdict::Kind::kRetry, retry.first);
    tell(held, "held");
    tell(refused, "refused");
    tell(retry, "not for now");
    return items();
  }

 private:
  struct Failed {
    std::size_t count = 0;
    std::string first;  // "400: document_parsing_exception: …"
  };
  const Failed& failed(Reaction reaction) const {
    return failed_[static_cast<std::size_t>(reaction)];
  }
  void push(ItemKind kind, const ReadItem& item, std::string reason) {
    verdict_.items.push_back({kind, item.status, std::move(reason)});
  }
  Verdict items() {
    verdict_.kind = Verdict::Kind::kItems;
    return std::move(verdict_);
  }
  Verdict whole(Verdict::Kind kind, std::string why) const {
    return {kind, std::move(why), {}, verdict_.backpressure, {}};
  }

  Verdict verdict_;
  std::array<Failed, 4> failed_;  // By Reaction.
  bool special_ = false;          // Duplicates or documents in the failure store.
};

Verdict retry(std::string why, bool backpressure) {
  Verdict made;
  made.kind = Verdict::Kind::kRetry;
  made.why = std::move(why);
  made.backpressure = backpressure;
  return made;
}

std::size_t count_of(std::string_view text, std::string_view piece) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(piece, at)) != text.npos; at += piece.size()) ++count;
  return count;
}

// A quote inside a string is escaped, so what is found with its quotes is a key.
bool plainly_delivered(std::string_view body, std::size_t items) {
  return body.substr(0, kTopBytes).find("\"errors\":false") != body.npos && body.ends_with("]}") &&
         count_of(body, kStatusKey) == items &&
         body.find("\"failure_store\":\"used\"") == body.npos;
}

Verdict judge_items(const HttpAnswer& answer, std::size_t items) {
  const std::string begin = std::to_string(answer.status) + ": ";
  if (answer.body.empty()) return retry(begin + "an empty answer of _bulk", false);
  if (plainly_delivered(answer.body, items)) return {};
  const Verdict unreadable =
      retry(begin + "not an answer of _bulk: " + one_line(answer.body.substr(0, 200)), false);
  const simdjson::padded_string padded(answer.body);
  od::parser parser;
  od::document document;
  od::array read;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document["items"].get_array().get(read) != simdjson::SUCCESS)
    return unreadable;
  Tally tally(items);
  std::size_t count = 0;
  for (auto element : read) {
    od::value value;
    ReadItem item;
    if (element.get(value) != simdjson::SUCCESS || !read_item(value, item)) return unreadable;
    if (++count <= items) tally.add(item);
  }
  if (count != items)
    return retry(
        begin + "an answer for " + std::to_string(count) + " items of " + std::to_string(items),
        false);
  return std::move(tally).verdict();
}

// The error of a whole request: {"error":{"type":…,"reason":…},"status":…}; a proxy's words; "".
StoreError error_of(const std::string& body) {
  StoreError made;
  if (body.empty()) return made;
  const simdjson::padded_string padded(body);
  od::parser parser;
  od::document document;
  od::value error;
  if (parser.iterate(padded).get(document) == simdjson::SUCCESS &&
      document["error"].get(error) == simdjson::SUCCESS)
    made = error_in(error);
  if (made.type.empty() && made.reason.empty()) made.reason = body.substr(0, kMaxReasonBytes + 4);
  return made;
}

// At most one item can be told to be at fault: smaller requests, or this one never.
Verdict split(std::string why, int status, std::string reason, std::size_t items) {
  Verdict made;
  made.kind = items == 1 ? Verdict::Kind::kItems : Verdict::Kind::kSplit;
  made.why = std::move(why);
  if (items == 1) made.items.push_back({ItemKind::kRefused, status, std::move(reason)});
  return made;
}

// These say that what was sent cannot be read; all other 400s of a whole request are about
// parameters, names or the way to the store, and go for every line.
bool blames_the_body(std::string_view type) {
  constexpr std::array kTypes{"x_content_parse_exception", "json_parse_exception",
                              "parse_exception", "parsing_exception", "json_e_o_f_exception"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

Verdict judge_whole(const HttpAnswer& answer, std::size_t items) {
  const int status = answer.status;
  const StoreError error = error_of(answer.body);
  std::string reason = words(error.type, error.reason);
  std::string why = std::to_string(status) + (reason.empty() ? "" : ": " + reason);
  if (status == 413) return split(why, status, reason.empty() ? "too large" : reason, items);
  if (status == 400 && blames_the_body(error.type)) return split(why, status, reason, items);
  if (status == 408 || status == 429 || status >= 500) return retry(std::move(why), true);
  Verdict held;
  held.kind = Verdict::Kind::kBlocked;
  held.why = std::move(why);
  return held;
}

}  // namespace

Verdict judge_bulk(const HttpAnswer& answer, std::size_t items) {
  Verdict made;
  if (answer.status == 0)
    made = retry(answer.error.empty() ? "no answer" : one_line(answer.error), answer.sent);
  else if (answer.status >= 200 && answer.status < 300)
    made = judge_items(answer, items);
  else
    made = judge_whole(answer, items);
  made.retry_after = answer.retry_after;
  return made;
}

}  // namespace pmx::ship
