// `pmx why NAME`: the story of each of its processes, and the last words of the run that ended.
#include <unistd.h>

#include <deque>

#include "base/sys.h"
#include "cli/handlers.h"
#include "cli/logs_format.h"
#include "cli/logs_merge.h"
#include "cli/session.h"
#include "cli/why_view.h"

namespace pmx::cli {
namespace {

constexpr std::size_t kLastWords = 10;
constexpr std::int64_t kNsPerMs = 1'000'000;
// Lines get their time when they are read, which is a little before or after the end is seen.
constexpr std::int64_t kAroundNs = 1'000'000'000;

// What the run that ended said last on its standard error.
Result<std::deque<std::string>> last_words(const Session& session, const Json& element) {
  RealFs files;
  const Json& exit = element["pmx"]["last_exit"];
  rotate::LineFilter filter;
  filter.until_ns = exit["at"].as_int() * kNsPerMs + kAroundNs;
  filter.since_ns = (exit["at"].as_int() - exit["ran_ms"].as_int()) * kNsPerMs - kAroundNs;
  const auto workers = PMX_TRY(read_log_workers(files, session.home));
  auto sources =
      PMX_TRY(sources_of(workers, element["pm_id"].dump(), session.home, {.out = false}));
  LogsMerge merge(files, session.clock, session.home, filter);
  merge.update(std::move(sources),
               [&](rotate::LogReader& reader) { reader.seek_time(filter.since_ns); });
  std::deque<std::string> words;
  const auto keep = [&](const LogSource&, const rotate::LogLine& line) {
    words.emplace_back(rotate::without_date(line));
    if (words.size() > kLastWords) words.pop_front();
    return true;
  };
  merge.print_all(keep);
  merge.print_unfinished(session.clock.steady_now(), keep);
  return words;
}

void tell(Session& session, const Json& element) {
  session.console.data(why_text(element, session.now_ms()));
  if (element["pmx"]["last_exit"].is_null()) return;
  const auto words = last_words(session, element);
  if (!words) return session.console.warn(words.error().message());
  if (words->empty()) return session.console.data("  It said nothing on its standard error.\n");
  std::string text = "  Its last words on standard error:\n";
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

}  // namespace

int run_why(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "name|id");
  const Result<Json> list = session.list();
  if (!list) return failed(session, list.error());
  const std::string& word = session.line.words.front();
  bool told = false;
  for (const Json& element : list->items()) {
    if (element["name"].as_string() != word && element["pm_id"].dump() != word) continue;
    tell(session, element);
    told = true;
  }
  return told ? 0 : failed(session, Error(Errc::kNotFound, word + " doesn't exist"));
}

}  // namespace pmx::cli
