#include "ship/internal/loki_answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ship/internal/http_words.h"

namespace pmx::ship::internal {
namespace {

using Kind = ItemVerdict::Kind;
constexpr std::int64_t kSecondNs = 1'000'000'000;
// Idle streams are given up after half an hour (chunk_idle_period): soon enough is once a minute.
constexpr std::chrono::milliseconds kStreamLimitDelay{60'000};

// Words of a 400 that is about the labels, so about every entry of the one stream.
constexpr std::array<std::string_view, 8> kLabelErrors{
    "error parsing labels",     "couldn't parse labels",   "error at least one label pair",
    "label names; limit",       "label name too long",     "label value too long",
    "has duplicate label name", "missing required labels",
};

bool has(std::string_view text, std::string_view words) {
  return text.find(words) != std::string_view::npos;
}

// What follows `words` at or behind `from`; nullopt: they are not there.
std::optional<std::string_view> behind(std::string_view text, std::string_view words) {
  const auto at = text.find(words);
  if (at == std::string_view::npos) return std::nullopt;
  return text.substr(at + words.size());
}

std::optional<std::uint64_t> number_behind(std::string_view text, std::string_view words) {
  const auto rest = behind(text, words);
  std::uint64_t number = 0;
  if (!rest || std::from_chars(rest->data(), rest->data() + rest->size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

// The oldest times that would have been taken, in whole seconds: below `first` nothing was, from
// `last` on everything.
struct Cutoff {
  std::optional<std::int64_t> first, last;
};
Cutoff cutoffs_in(std::string_view body) {
  Cutoff cutoff;
  while (const auto rest = behind(body, "oldest acceptable timestamp is: ")) {
    body = *rest;
    const auto time = parse_go_time(body);
    if (!time) continue;
    cutoff.first = std::min(cutoff.first.value_or(*time), *time);
    cutoff.last = std::max(cutoff.last.value_or(*time + kSecondNs), *time + kSecondNs);
  }
  return cutoff;
}

struct Named {
  std::string reason;
  std::size_t times = 0;  // How many entries of this time are named …
  std::size_t here = 0;   // … and how many there are.
};
using NamedTimes = std::unordered_map<std::int64_t, Named>;

NamedTimes named_in(std::string_view body) {
  NamedTimes named;
  while (const auto rest = behind(body, "entry with timestamp ")) {
    body = *rest;
    const auto time = parse_go_time(body);
    const auto reason = behind(body, "ignored, reason: '");
    if (!time || !reason) continue;
    Named& entry = named[*time];
    entry.reason = reason->substr(0, reason->find("',\n"));
    ++entry.times;
  }
  return named;
}

// "entry with timestamp … ignored, reason: '…', … total ignored: N out of M".
Verdict judge_named(const HttpAnswer& answer, std::span<const Item> items) {
  // Per-stream rate limits come in these words too, with a 429: those are for later.
  const Kind kind = answer.status == 429 ? Kind::kRetry : Kind::kRefused;
  const auto give_up = [&] {
    return kind == Kind::kRetry ? retry(answer, true) : split_or_refuse(answer, items.size());
  };
  NamedTimes named = named_in(answer.body);
  const Cutoff cutoff = cutoffs_in(answer.body);
  std::size_t listed = 0;
  for (const auto& [time, entry] : named) listed += entry.times;
  const std::size_t ignored = number_behind(answer.body, "total ignored: ").value_or(listed);
  if (ignored > listed && !cutoff.first) return give_up();
  for (const Item& item : items)
    if (const auto at = named.find(item.time_ns); at != named.end()) ++at->second.here;

  const std::string words = words_of(answer);
  std::vector<ItemVerdict> verdicts;
  std::size_t found = 0;
  for (const Item& item : items) {
    ItemVerdict verdict;
    if (const auto at = named.find(item.time_ns); at != named.end()) {
      // Two logs may have a line in the same nanosecond: the one that is not meant is a repeat.
      const bool sure = at->second.times >= at->second.here;
      verdict = {sure ? kind : Kind::kRetry, answer.status, at->second.reason};
    } else if (cutoff.first && item.time_ns < *cutoff.first) {
      verdict = {kind, answer.status, words};
    } else if (ignored > listed && item.time_ns < *cutoff.last) {
      verdict = {Kind::kRetry, answer.status, words};
    }
    found += verdict.kind == Kind::kDelivered ? 0U : 1U;
    verdicts.push_back(std::move(verdict));
  }
  if (found == 0) return give_up();  // Not our entries: nothing can be said.
  Verdict verdict{Verdict::Kind::kItems, words, answer.retry_after, answer.status == 429, {}};
  verdict.items = std::move(verdicts);
  return verdict;
}

// Each item for itself, by `judge`; where none is at fault, the words were about something else.
template <class Judge>
Verdict judge_each(const HttpAnswer& answer, std::span<const Item> items, const Judge& judge) {
  Verdict verdict{Verdict::Kind::kItems, words_of(answer), answer.retry_after, false, {}};
  bool found = false;
  for (std::size_t at = 0; at < items.size(); ++at) {
    const Kind kind = judge(at);
    found = found || kind != Kind::kDelivered;
    verdict.items.push_back(
        kind == Kind::kDelivered ? ItemVerdict{} : ItemVerdict{kind, answer.status, verdict.why});
  }
  return found ? verdict : split_or_refuse(answer, items.size());
}

// Older than reject_old_samples_max_age (7 days): the distributor's own check.
Verdict judge_too_old(const HttpAnswer& answer, std::span<const Item> items) {
  const Cutoff cutoff = cutoffs_in(answer.body);
  if (!cutoff.first) return split_or_refuse(answer, items.size());
  return judge_each(answer, items, [&](std::size_t at) {
    if (items[at].time_ns < *cutoff.first) return Kind::kRefused;
    return items[at].time_ns < *cutoff.last ? Kind::kRetry : Kind::kDelivered;
  });
}

Verdict judge_too_long(const HttpAnswer& answer, std::span<const Item> items,
                       std::string_view bytes, LokiEncoding encoding) {
  const auto limit = number_behind(answer.body, "max entry size '");
  if (!limit) return split_or_refuse(answer, items.size());
  return judge_each(answer, items, [&](std::size_t at) {
    const std::string_view item = bytes.substr(0, items[at].size_bytes);
    bytes.remove_prefix(item.size());
    return line_bytes(item, encoding) > *limit ? Kind::kRefused : Kind::kDelivered;
  });
}

LokiVerdict judge_400(const HttpAnswer& answer, std::span<const Item> items, std::string_view bytes,
                      LokiEncoding encoding) {
  const std::string_view body = answer.body;
  if (has(body, "entry with timestamp ") && has(body, "ignored, reason: "))
    return {judge_named(answer, items)};
  const auto about_labels = [&](std::string_view words) { return has(body, words); };
  if (std::any_of(kLabelErrors.begin(), kLabelErrors.end(), about_labels))
    return {refuse_all(answer, items.size())};
  // Several kinds at once are listed as "N errors like: …; M errors like: …".
  const bool metadata = has(body, "structured metadata");
  const bool old = has(body, "has timestamp too old"), fresh = has(body, "has timestamp too new");
  const bool too_long = has(body, "max entry size '");
  if (metadata + old + fresh + too_long > 1) return {split_or_refuse(answer, items.size())};
  if (metadata && has(body, "this feature is disallowed")) {
    LokiVerdict without{{Verdict::Kind::kItems, words_of(answer), {}, false, {}}, true};
    without.verdict.items.assign(items.size(), {Kind::kRetry, answer.status, without.verdict.why});
    return without;
  }
  if (old) return {judge_too_old(answer, items)};
  if (too_long) return {judge_too_long(answer, items, bytes, encoding)};
  // A tenant that the store does not take (dskit's tenant.ValidTenantID): a setting.
  if (has(body, "tenant ID") || has(body, "org ID")) return {blocked(answer)};
  return {split_or_refuse(answer, items.size())};
}

Verdict judge_429(const HttpAnswer& answer, std::span<const Item> items) {
  const std::string_view body = answer.body;
  if (has(body, "entry with timestamp ")) return judge_named(answer, items);
  if (has(body, "maximum active stream limit exceeded")) {
    Verdict verdict = retry(answer, false);  // It is not the load: others' streams go through.
    verdict.retry_after =
        std::max(verdict.retry_after.value_or(kStreamLimitDelay), kStreamLimitDelay);
    return verdict;
  }
  Verdict verdict = retry(answer, true);
  const auto limit = number_behind(body, "(limit: ");  // Bytes a second.
  const auto total = number_behind(body, "lines totaling '");
  // More than the burst never passes. The burst is not told, but it is not below the rate.
  if (has(body, "ingestion rate limit exceeded") && limit && total && *total > *limit &&
      items.size() > 1)
    verdict.kind = Verdict::Kind::kSplit;
  return verdict;
}

template <class Number>
bool take_number(std::string_view& text, std::size_t digits, Number& number) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + std::min(digits, text.size()), number);
  if (error != std::errc() || end != text.data() + digits) return false;
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || !has(any_of, text.substr(0, 1))) return false;
  text.remove_prefix(1);
  return true;
}

std::int64_t take_fraction(std::string_view& text) {
  std::int64_t nanos = 0, unit = kSecondNs / 10;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), unit /= 10)
    nanos += unit * (text[0] - '0');
  return nanos;
}

}  // namespace

std::optional<std::int64_t> parse_go_time(std::string_view text) {
  int year = 0;
  unsigned month = 0, day = 0;
  std::int64_t hour = 0, minute = 0, second = 0;
  if (!take_number(text, 4, year) || !take(text, "-") || !take_number(text, 2, month) ||
      !take(text, "-") || !take_number(text, 2, day) || !take(text, " T") ||
      !take_number(text, 2, hour) || !take(text, ":") || !take_number(text, 2, minute) ||
      !take(text, ":") || !take_number(text, 2, second))
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  const std::int64_t nanos = take(text, ".") ? take_fraction(text) : 0;
  (void)take(text, " ");
  std::int64_t offset = 0;
  if (const bool east = text.starts_with('+'); east || text.starts_with('-')) {
    std::int64_t hours = 0, minutes = 0;
    text.remove_prefix(1);
    if (!take_number(text, 2, hours)) return std::nullopt;
    (void)take(text, ":");
    if (!take_number(text, 2, minutes)) return std::nullopt;
    offset = (east ? 1 : -1) * (hours * 3600 + minutes * 60);
  } else if (!text.starts_with('Z')) {
    return std::nullopt;
  }
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return (days * 86'400 + hour * 3600 + minute * 60 + second - offset) * kSecondNs + nanos;
}

LokiVerdict judge_loki(const HttpAnswer& answer, std::span<const Item> items,
                       std::string_view bytes, LokiEncoding encoding) {
  // The status of a block is the operator's choice (block_ingestion_status_code, 260): so by words.
  const bool is_block = has(answer.body, "ingestion blocked for");
  if (answer.status == 260 || (answer.status != 0 && is_block)) return {blocked(answer)};
  switch (answer.status) {
    case 400:
      return judge_400(answer, items, bytes, encoding);
    case 429:
      return {judge_429(answer, items)};
    case 500:
      // The distributor's message to an ingester has a limit of its own (4 MiB): no waiting helps.
      if (has(answer.body, "ResourceExhausted") && has(answer.body, "larger than max") &&
          items.size() > 1)
        return {split_or_refuse(answer, items.size())};
      break;
    default:
      break;
  }
  return {judge_status(answer, items.size())};
}

Readiness loki_readiness(const HttpAnswer& answer) {
  if (answer.status == 503 && answer.body.starts_with("Ingester not ready: waiting for"))
    return Readiness::kStarting;
  if (answer.status == 0 || answer.status == 429 || answer.status >= 500) return Readiness::kAway;
  const bool says_so = answer.status == 200 && answer.body.starts_with("ready");
  return says_so ? Readiness::kReady : Readiness::kUnknown;
}

}  // namespace pmx::ship::internal
