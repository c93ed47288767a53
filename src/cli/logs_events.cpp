#include "cli/logs_events.h"

#include <algorithm>
#include <set>
#include <utility>

#include "rotate/segment_reader.h"

namespace pmx::cli {
namespace {

constexpr std::int64_t kQuietNs = ship::MultilineJoiner::kQuietNs;
// A line has its time before it can be read: one that goes on may be kQuietNs younger than the one
// before it, and not be there yet. As when logs are shipped.
constexpr std::int64_t kRecordedWithinNs = 100'000'000;
constexpr std::int64_t kSettledAfterNs = kQuietNs + kRecordedWithinNs;
// A trace is printed at once: what of it lies further beyond a bound of time is not looked for.
constexpr std::int64_t kTraceNs = 1'000'000'000;
constexpr std::uint64_t kLinesBetweenReleases = 256;

std::int64_t before(std::int64_t time_ns, std::int64_t by_ns) {
  return time_ns < INT64_MIN + by_ns ? INT64_MIN : time_ns - by_ns;
}
std::int64_t after(std::int64_t time_ns, std::int64_t by_ns) {
  return time_ns > INT64_MAX - by_ns ? INT64_MAX : time_ns + by_ns;
}

// True: `call` was content with a line.
template <class Call>
bool any_line(std::string_view text, const Call& call) {
  for (;;) {
    const std::size_t newline = text.find('\n');
    if (call(text.substr(0, newline))) return true;
    if (newline == std::string_view::npos) return false;
    text.remove_prefix(newline + 1);
  }
}

}  // namespace

LogsEvents::LogsEvents(const Clock& clock, rotate::LineFilter filter, Print print)
    : clock_(clock), filter_(std::move(filter)), print_(std::move(print)) {}

rotate::LineFilter LogsEvents::lines_filter() const {
  rotate::LineFilter lines;
  lines.since_ns = before(filter_.since_ns, kTraceNs);
  lines.until_ns = after(filter_.until_ns, kTraceNs);
  return lines;
}

void LogsEvents::seek_time(rotate::LogReader& reader, std::int64_t time_ns) {
  reader.seek_time(before(time_ns, kTraceNs));
}

void LogsEvents::seek_last(rotate::LogReader& reader, std::uint64_t n) {
  if (n == 0) return reader.seek_end();
  Count counted;
  reader.seek_back(n, [&](bool whole_log) {
    counted = count(reader, whole_log);
    return counted.whole >= n;
  });
  if (counted.all > n) skips_[reader.dir().active_path()] = counted.all - n;
}

// The first line of a stream in the stretch that is counted may belong to a trace that began before
// it, where it comes soon enough after that.
LogsEvents::Count LogsEvents::count(rotate::LogReader& reader, bool whole_log) const {
  Count counted;
  std::uint64_t number = 0, last_cut = 0;
  std::optional<std::int64_t> begin_ns;
  std::set<StreamId> met;
  EventJoiner joiner([&](const rotate::LogLine& event) {
    if (!wanted(event)) return;
    ++counted.all;
    if (event.seq > last_cut) ++counted.whole;
  });
  const auto take = [&](const rotate::LogLine& line) {
    ++number;
    begin_ns = begin_ns.value_or(line.time_ns);
    if (!whole_log && line.time_ns - *begin_ns <= kQuietNs && met.insert(line.stream).second) {
      last_cut = number;
      counted.whole = 0;
    }
    joiner.add(line, number);
    if (number % kLinesBetweenReleases == 0)
      joiner.flush_older_than(before(line.time_ns, kQuietNs));
  };
  while (const auto line = reader.next()) take(*line);
  while (const auto line = reader.next_unfinished()) take(*line);
  joiner.flush_all();
  return counted;
}

LogsEvents::Log& LogsEvents::log_of(const LogSource& source) {
  Log& log = logs_[&source];
  if (log.joiner) return log;
  log.joiner = std::make_unique<EventJoiner>(
      [this, from = &source](const rotate::LogLine& event) { hold(*from, event); });
  if (const auto skip = skips_.find(source.path); skip != skips_.end()) log.skip = skip->second;
  return log;
}

bool LogsEvents::add(const LogSource& source, const rotate::LogLine& line, std::int64_t looked_ns) {
  log_of(source).joiner->add(line, ++number_);
  if (number_ % kLinesBetweenReleases != 0 && held_bytes_ <= kMostHeldBytes) return !stopped_;
  // A line from the future was written before the clock was set back.
  const bool from_the_future = line.time_ns > clock_.system_ns();
  const std::int64_t there_ns =
      from_the_future ? line.time_ns : std::min(line.time_ns, looked_ns - kRecordedWithinNs);
  return release(before(there_ns, kQuietNs));
}

void LogsEvents::hold(const LogSource& source, const rotate::LogLine& event) {
  if (!wanted(event)) return;
  Held& held = held_[event.seq];
  held.source = &source;
  held.event = event;
  held.text.reserve(event.text.size() + rotate::kReadablePastEnd);
  held.text = event.text;
  held.text.append(rotate::kReadablePastEnd, '\0');
  held.event.text = std::string_view(held.text).substr(0, event.text.size());
  held_bytes_ += held.text.size();
}

// Nobody goes on with what is older than `quiet_since_ns`.
bool LogsEvents::release(std::int64_t quiet_since_ns) {
  std::uint64_t oldest_open = UINT64_MAX;
  for (auto& [source, log] : logs_) {
    log.joiner->flush_older_than(quiet_since_ns);
    oldest_open = std::min(oldest_open, log.joiner->oldest_open().value_or(UINT64_MAX));
  }
  const bool too_many = held_bytes_ > kMostHeldBytes;
  while (!held_.empty() && !stopped_) {
    const bool may_go = held_.begin()->first < oldest_open;
    if (!may_go && !(too_many && held_bytes_ > kMostHeldBytes / 2)) break;
    stopped_ = !print_first();
  }
  return !stopped_;
}

bool LogsEvents::print_first() {
  const auto held = held_.extract(held_.begin());
  const Held& first = held.mapped();
  held_bytes_ -= first.text.size();
  Log& log = logs_.at(first.source);
  if (log.skip == 0) return print_(*first.source, first.event);
  --log.skip;
  return true;
}

bool LogsEvents::settle(std::int64_t looked_ns) { return release(looked_ns - kSettledAfterNs); }

bool LogsEvents::finish() {
  for (auto& [source, log] : logs_) log.joiner->flush_all();
  while (!held_.empty() && !stopped_) stopped_ = !print_first();
  return !stopped_;
}

std::optional<std::chrono::milliseconds> LogsEvents::settle_in() const {
  std::optional<std::int64_t> oldest_ns;
  for (const auto& [source, log] : logs_)
    if (const auto time = log.joiner->oldest_open_time())
      oldest_ns = std::min(oldest_ns.value_or(*time), *time);
  if (!oldest_ns) return std::nullopt;
  // A clock that was set back must not hold a trace for ever.
  const std::int64_t left_ns = std::clamp<std::int64_t>(
      *oldest_ns + kSettledAfterNs - clock_.system_ns(), 0, kSettledAfterNs);
  return std::chrono::milliseconds(left_ns / 1'000'000 + 1);
}

// ---- Which events.

bool LogsEvents::wanted(const rotate::LogLine& event) const {
  if (event.time_ns < filter_.since_ns || event.time_ns > filter_.until_ns) return false;
  if (event.dropped_notice) return !filter_.matches;  // As of single lines.
  const std::string_view text = rotate::without_date(event);
  if (filter_.level && !severe_enough(text)) return false;
  return !filter_.matches || matches(event.text.substr(0, event.text.size() - text.size()), text);
}

// A pattern may be meant for the line as the file has it, with our date, or for the worker's words.
bool LogsEvents::matches(std::string_view date, std::string_view text) const {
  if (any_line(text, filter_.matches)) return true;
  if (date.empty()) return false;
  const std::string_view first = text.substr(0, text.find('\n'));
  return filter_.matches({date.data(), date.size() + first.size()});
}

bool LogsEvents::severe_enough(std::string_view text) const {
  const auto is_severe = [this](std::string_view part) {
    return filter_.severity_of(part) >= *filter_.level;
  };
  return is_severe(text) || any_line(text, is_severe);
}

}  // namespace pmx::cli
