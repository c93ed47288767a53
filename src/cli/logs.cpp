#include "cli/logs.h"

#include <poll.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/sys.h"
#include "base/time_text.h"
#include "capture/fields.h"
#include "cli/logs_events.h"
#include "cli/logs_format.h"
#include "cli/logs_merge.h"
#include "cli/logs_output.h"
#include "cli/logs_pretty.h"
#include "cli/logs_sources.h"

namespace pmx::cli {
namespace {

constexpr std::string_view kDefaultTimestamp = "YYYY-MM-DD-HH:mm:ss";
// Then a line without an end is shown; of events sooner, since it may be a trace's last.
constexpr std::chrono::milliseconds kQuiet{200}, kQuietOfEvents{100};

Result<void> check_forms(const LogsOptions& options) {
  if (!options.pretty || !(options.raw || options.json || options.format)) return {};
  return invalid(std::string("--pretty lays lines out for people, ") +
                 (options.raw    ? "--raw leaves them as they are"
                  : options.json ? "--json is for programs"
                                 : "--format is for programs") +
                 ": use one of the two");
}

Result<rotate::LineFilter> filter_of(const LogsOptions& options, std::int64_t now_ns) {
  rotate::LineFilter filter;
  if (!options.since.empty())
    filter.since_ns = PMX_TRY_WITHIN("--since", parse_time(options.since, now_ns));
  if (!options.until.empty())
    filter.until_ns = PMX_TRY_WITHIN("--until", parse_time(options.until, now_ns));
  if (!options.level.empty()) {
    filter.level = parse_severity(options.level);
    if (!filter.level)
      return invalid("--level: \"" + options.level +
                     "\" is no level: use trace, debug, info, warn, error or fatal");
    filter.severity_of = [](std::string_view line) { return capture::severity_of(line); };
  }
  if (!options.grep.empty()) {
    RE2::Options quiet;
    quiet.set_log_errors(false);
    quiet.set_encoding(
        RE2::Options::EncodingLatin1);  // Lines are bytes; UTF-8 text matches itself.
    // shared: std::function copies what it holds, and a compiled pattern cannot be copied.
    const auto pattern = std::make_shared<const RE2>(options.grep, quiet);
    if (!pattern->ok()) return invalid("--grep: " + pattern->error());
    filter.matches = [pattern](std::string_view text) {
      return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *pattern);
    };
  }
  return filter;
}

LineStyle style_of(const LogsOptions& options, bool terminal) {
  LineStyle style;
  style.terminal = terminal;
  const char* const no_color = std::getenv("NO_COLOR");
  style.color = terminal && !options.no_color && (no_color == nullptr || *no_color == '\0');
  if (options.raw) style.form = LineStyle::Form::kRaw;
  if (options.format) style.form = LineStyle::Form::kPairs;
  if (options.json) style.form = LineStyle::Form::kJson;
  if (options.pretty) style.form = LineStyle::Form::kPretty;
  if (options.timestamp)
    style.timestamp = TimeFormat(options.timestamp->empty() ? kDefaultTimestamp
                                                            : std::string_view(*options.timestamp));
  style.highlight = options.highlight;
  return style;
}

class LogsView {
 public:
  LogsView(Fs& fs, const Clock& clock, const LogsOptions& options, rotate::LineFilter filter,
           LogsOutput& output)
      : fs_(fs),
        clock_(clock),
        options_(options),
        since_ns_(filter.since_ns),
        now_ns_(clock.system_ns()),
        follow_(options.follow && filter.until_ns > now_ns_),
        output_(output),
        out_style_(style_of(options, output.out_is_terminal())),
        err_style_(style_of(options, output.err_is_terminal())),
        quiet_(options.pretty ? kQuietOfEvents : kQuiet),
        events_(events_of(clock, options, filter)),
        merge_(fs, clock, options.home, events_ ? events_->lines_filter() : std::move(filter)) {}

  Result<void> start();
  void run();

 private:
  std::optional<LogsEvents> events_of(const Clock& clock, const LogsOptions& options,
                                      const rotate::LineFilter& filter);
  Result<std::vector<LogSource>> sources();
  void seek(rotate::LogReader& reader);
  bool take(const LogSource& source, const rotate::LogLine& line);
  bool print(const LogSource& source, const rotate::LogLine& line);
  void take_new();
  void take_unfinished(std::chrono::milliseconds quiet);
  void warn();
  void take_new_workers();
  bool wait();
  void fit_labels();

  Fs& fs_;
  const Clock& clock_;
  const LogsOptions& options_;
  const std::int64_t since_ns_, now_ns_;
  const bool follow_;
  LogsOutput& output_;
  LineStyle out_style_, err_style_;
  PrettyPrinter pretty_;
  const std::chrono::milliseconds quiet_;
  std::optional<LogsEvents> events_;  // --pretty
  LogsMerge merge_;
  std::set<std::string> warned_;
};

Result<std::vector<LogSource>> LogsView::sources() {
  const auto workers = PMX_TRY(read_log_workers(fs_, options_.home));
  const bool both = options_.out_only == options_.err_only;
  return sources_of(workers, options_.target, options_.home,
                    {both || options_.out_only, both || options_.err_only});
}

std::optional<LogsEvents> LogsView::events_of(const Clock& clock, const LogsOptions& options,
                                              const rotate::LineFilter& filter) {
  if (!options.pretty) return std::nullopt;
  return std::optional<LogsEvents>(std::in_place, clock, filter,
                                   [this](const LogSource& source, const rotate::LogLine& event) {
                                     return print(source, event);
                                   });
}

void LogsView::seek(rotate::LogReader& reader) {
  const bool by_time = !options_.since.empty() && !options_.lines;
  const std::size_t lines = options_.lines.value_or(kDefaultTailLines);
  if (events_)
    return by_time ? LogsEvents::seek_time(reader, since_ns_) : events_->seek_last(reader, lines);
  return by_time ? reader.seek_time(since_ns_) : reader.last_lines(lines);
}

void LogsView::fit_labels() {
  out_style_.label_width = std::max(out_style_.label_width, merge_.longest_label());
}

Result<void> LogsView::start() {
  auto found = PMX_TRY(sources());
  const bool for_people = out_style_.form == LineStyle::Form::kPlain || options_.pretty;
  if (for_people && (options_.since.empty() || options_.lines))
    output_.out() +=
        tail_header(out_style_, options_.lines.value_or(kDefaultTailLines), options_.target);
  merge_.update(std::move(found), [this](rotate::LogReader& reader) { seek(reader); });
  fit_labels();
  return {};
}

bool LogsView::take(const LogSource& source, const rotate::LogLine& line) {
  return events_ ? events_->add(source, line, merge_.looked_ns()) : print(source, line);
}

bool LogsView::print(const LogSource& source, const rotate::LogLine& line) {
  const LogFeed& feed = source.feed_of(line);
  LineOrigin origin;
  origin.label = source.label_of(line);
  origin.app_name = feed.name;
  origin.worker =
      source.one_worker || line.worker == rotate::kUnknownWorker ? feed.worker : line.worker;
  origin.kind = source.kind_of(line);
  origin.own_log = source.own_log;
  const bool to_err = out_style_.form == LineStyle::Form::kRaw &&
                      (origin.kind == StreamKind::kErr || line.dropped_notice);
  if (options_.pretty)
    pretty_.append(output_.out(), out_style_, origin, line);
  else
    append_line(to_err ? output_.err() : output_.out(), to_err ? err_style_ : out_style_, origin,
                line);
  output_.flush_if_full();
  return !output_.closed();
}

// What could not be read, once each.
void LogsView::warn() {
  for (const std::string& warning : merge_.take_warnings()) {
    if (!warned_.insert(warning).second) continue;
    output_.err() += "[PM2][WARN] ";
    if (err_style_.terminal)
      append_for_terminal(output_.err(), warning);
    else
      output_.err() += warning;
    output_.err() += '\n';
  }
}

void LogsView::take_new() {
  merge_.print_all(
      [this](const LogSource& source, const rotate::LogLine& line) { return take(source, line); });
  warn();
}

// A prompt or dots without a newline: shown as they are when nothing has come for a moment.
void LogsView::take_unfinished(std::chrono::milliseconds quiet) {
  merge_.print_unfinished(
      clock_.steady_now() - quiet,
      [this](const LogSource& source, const rotate::LogLine& line) { return take(source, line); });
}

// Workers that are started meanwhile are followed too; what their logs have from before is no news.
void LogsView::take_new_workers() {
  auto found = sources();
  if (!found)
    return;  // All gone, or a target that is not there any more: the logs are still followed.
  merge_.update(std::move(*found),
                [this](rotate::LogReader& reader) { reader.seek_time(now_ns_); });
  fit_labels();
}

// False: nobody reads what we print.
bool LogsView::wait() {
  const rotate::LogFollower& follower = *merge_.follower();
  // Asking for nothing on the output still tells when its reader has gone.
  pollfd waits[] = {
      {output_.out_fd(), 0, 0}, {follower.fd(), POLLIN, 0}, {options_.input_fd, POLLIN, 0}};
  auto timeout = follower.poll_timeout();
  const auto no_later_than = [&timeout](std::chrono::milliseconds left) {
    left = std::max(left, std::chrono::milliseconds(0));
    timeout = std::min(timeout.value_or(left), left);
  };
  if (const auto since = merge_.unfinished_since())
    no_later_than(
        std::chrono::ceil<std::chrono::milliseconds>(*since + quiet_ - clock_.steady_now()));
  if (const auto settle_in = events_ ? events_->settle_in() : std::nullopt)
    no_later_than(*settle_in);
  (void)::poll(waits, 3, timeout ? static_cast<int>(timeout->count()) : -1);
  if (waits[2].revents != 0 && !options_.on_input()) return false;
  return (waits[0].revents & (POLLERR | POLLHUP | POLLNVAL)) == 0;
}

void LogsView::run() {
  take_new();
  if (follow_) merge_.follow(apps_path(options_.home));
  while (follow_ && !output_.closed()) {
    if (merge_.path_changed()) take_new_workers();
    take_new();
    take_unfinished(quiet_);
    if (events_) events_->settle(merge_.looked_ns());
    output_.flush();
    if (!wait()) return;
  }
  take_unfinished(std::chrono::milliseconds(0));
  if (events_) events_->finish();
  output_.flush();
}

int fail(LogsOutput& output, const Error& error) {
  output.err() += "[PM2][ERROR] " + error.message() + "\n";
  output.flush();
  return 1;
}

}  // namespace

int run_logs(const LogsOptions& options, int out_fd, int err_fd) {
  LogsOutput output(out_fd, err_fd);
  const LogsSignals signals(output.out_is_terminal());
  const RealClock clock;
  if (const auto checked = check_forms(options); !checked) return fail(output, checked.error());
  auto filter = filter_of(options, clock.system_ns());
  if (!filter) return fail(output, filter.error());
  sys::raise_fd_limit();  // Two descriptors a log, and there may be a thousand workers.
  RealFs fs;
  LogsView view(fs, clock, options, std::move(*filter), output);
  if (const auto started = view.start(); !started) return fail(output, started.error());
  view.run();
  return 0;
}

}  // namespace pmx::cli
