// `pmx why NAME`: the story of each of its processes, and the last words of the run that ended.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <limits>

#include "base/sys.h"
#include "base/units.h"
#include "cli/handlers.h"
#include "cli/logs_format.h"
#include "cli/logs_merge.h"
#include "cli/session.h"
#include "cli/why_view.h"

namespace pmx::cli {
namespace {

constexpr std::size_t kLastWords = 30;  // Node says what is missing 20 lines before its end.
constexpr std::int64_t kNsPerMs = 1'000'000;
// Lines get their time when they are read: before the start is known or after the end is. Whose
// they are says their stream; where none is known, the time must do.
constexpr std::int64_t kOffNs = 60'000'000'000;
constexpr std::int64_t kAroundNs = 1'000'000'000;
// How far before the end is looked in turn; last, from the run's begin.
constexpr std::int64_t kMinuteNs = 60'000'000'000;
constexpr std::array<std::int64_t, 4> kLooksNs{kMinuteNs, 30 * kMinuteNs, 24 * 60 * kMinuteNs,
                                               std::numeric_limits<std::int64_t>::max()};
constexpr std::chrono::seconds kRecordPatience{2};
constexpr int kLookAgainMs = 20;

struct Ended {
  RunId run;  // {0}: not known.
  std::int64_t begin_ns = 0, end_ns = 0;
  bool has(const rotate::LogLine& line) const {
    if (run.value != 0 && line.stream.value != 0) return run_of(line.stream) == run;
    return line.time_ns >= begin_ns - kAroundNs && line.time_ns <= end_ns + kAroundNs;
  }
};

Ended ended_run(const Json& exit) {
  return {{static_cast<std::uint64_t>(parse_integer(exit["run"].as_string()).value_or(0))},
          (exit["at"].as_int() - exit["ran_ms"].as_int()) * kNsPerMs,
          exit["at"].as_int() * kNsPerMs};
}

// What the run said on its standard error from `since_ns` on, the last of it.
Result<std::deque<std::string>> words_since(const Session& session, const Json& element,
                                            const Ended& ended, std::int64_t since_ns) {
  RealFs files;
  rotate::LineFilter filter;
  filter.since_ns = since_ns - kOffNs;
  filter.until_ns = ended.end_ns + kOffNs;
  const auto workers = PMX_TRY(read_log_workers(files, session.home));
  auto sources =
      PMX_TRY(sources_of(workers, element["pm_id"].dump(), session.home, {.out = false}));
  LogsMerge merge(files, session.clock, session.home, filter);
  merge.update(std::move(sources),
               [&](rotate::LogReader& reader) { reader.seek_time(filter.since_ns); });
  std::deque<std::string> words;
  const auto keep = [&](const LogSource&, const rotate::LogLine& line) {
    if (!ended.has(line)) return true;
    words.emplace_back(rotate::without_date(line));
    if (words.size() > kLastWords) words.pop_front();
    return true;
  };
  merge.print_all(keep);
  merge.print_unfinished(session.clock.steady_now(), keep);
  return words;
}

// A run may be years long: looked for from its end back.
Result<std::deque<std::string>> last_words(const Session& session, const Json& element) {
  const Ended ended = ended_run(element["pmx"]["last_exit"]);
  std::deque<std::string> words;
  for (const std::int64_t back_ns : kLooksNs) {
    const std::int64_t since_ns = std::max(ended.end_ns - back_ns, ended.begin_ns);
    words = PMX_TRY(words_since(session, element, ended, since_ns));
    if (words.size() == kLastWords || since_ns == ended.begin_ns) break;
  }
  return words;
}

// A run's number is the time of its birth.
Ended run_of_reload(const Session& session, std::int64_t run) {
  return {{static_cast<std::uint64_t>(run)}, run, session.clock.system_ns()};
}

bool recorded(const Json& element) {
  return element["pmx"]["last_exit"].is_null() ||
         element["pmx"]["last_exit"]["recorded"].as_bool(true);
}

std::vector<Json> of_word(const Json& list, const std::string& word) {
  std::vector<Json> found;
  for (const Json& element : list.items())
    if (element["name"].as_string() == word || element["pm_id"].dump() == word)
      found.push_back(element);
  return found;
}

// What a run said last may still be on its way to the log when its end is known; where somebody
// else holds its output it is not waited for.
Result<void> wait_until_recorded(Session& session, const std::string& word) {
  const auto give_up = session.clock.steady_now() + kRecordPatience;
  while (true) {
    const std::vector<Json> found = of_word(PMX_TRY(session.short_list()), word);
    if (std::all_of(found.begin(), found.end(), recorded)) return {};
    if (session.clock.steady_now() > give_up) return {};
    (void)::poll(nullptr, 0, kLookAgainMs);
  }
}

// All of that name or id.
Result<std::vector<Json>> asked_for(Session& session, const std::string& word) {
  PMX_TRY(wait_until_recorded(session, word));
  return of_word(PMX_TRY(session.list()), word);
}

void tell(Session& session, const Json& element) {
  session.console.data(why_text(element, session.now_ms()));
  // Of a reload that has failed, the new process is what one asks after.
  const auto new_run = parse_integer(element["pmx"]["failed_reload"].as_string());
  if (!new_run && element["pmx"]["last_exit"].is_null()) return;
  const std::string whose = new_run ? "The new process" : "It";
  const auto words = new_run
                         ? words_since(session, element, run_of_reload(session, *new_run), *new_run)
                         : last_words(session, element);
  if (!words) return session.console.warn(words.error().message());
  if (words->empty())
    return session.console.data("  " + whose + " said nothing on its standard error.\n");
  std::string text = "  " + whose + " said last on standard error:\n";
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  for (const std::string& line : *words) {
    text += "  | ";
    if (terminal)
      append_for_terminal(text, line);
    else
      text += line;
    text += '\n';
  }
  session.console.data(text);
}

// Those that had taken over and died then; where there are none, those that were not let.
std::vector<std::pair<const Json*, Ended>> runs_that_failed(const Session& session,
                                                            const Json& list,
                                                            std::int64_t since_ms) {
  std::vector<std::pair<const Json*, Ended>> died, not_let;
  for (const Json& element : list.items()) {
    const Json& exit = element["pmx"]["last_exit"];
    if (exit["cause"].as_string() == "itself" && exit["at"].as_int() >= since_ms)
      died.emplace_back(&element, ended_run(exit));
    // A run's number is its birth: that of an earlier reload is not what has failed now.
    const auto run = parse_integer(element["pmx"]["failed_reload"].as_string());
    if (run && *run >= since_ms * kNsPerMs)
      not_let.emplace_back(&element, run_of_reload(session, *run));
  }
  return died.empty() ? not_let : died;
}

}  // namespace

void print_words_of_failed_reloads(Session& session, std::int64_t since_ms) {
  const auto give_up = session.clock.steady_now() + kRecordPatience;
  const auto list = session.short_list();
  if (!list) return;
  for (auto& [element, failed] : runs_that_failed(session, *list, since_ms)) {
    std::deque<std::string> words;
    // It may have ended just now, and said something in doing so.
    while (words.empty() && session.clock.steady_now() < give_up) {
      auto said = words_since(session, *element, failed, failed.begin_ns);
      if (!said) return;
      words = std::move(*said);
      if (words.empty()) (void)::poll(nullptr, 0, kLookAgainMs);
      failed.end_ns = session.clock.system_ns();
    }
    for (const std::string& line : words)
      session.console.complaint("  " + line.substr(0, line.find_last_not_of('\n') + 1));
  }
}

int run_why(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "name|id");
  const std::string& word = session.line.words.front();
  const Result<std::vector<Json>> found = asked_for(session, word);
  if (!found) return failed(session, found.error());
  for (const Json& element : *found) tell(session, element);
  return !found->empty() ? 0 : failed(session, Error(Errc::kNotFound, word + " doesn't exist"));
}

}  // namespace pmx::cli
