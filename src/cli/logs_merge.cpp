#include "cli/logs_merge.h"

#include <algorithm>
#include <set>
#include <utility>

#include "rotate/log_dir.h"

namespace pmx::cli {
namespace {

// So many lines are printed before other logs are looked at again: a log that grows faster than we
// print must not hide the others.
constexpr int kLinesBetweenLooks = 4096;

}  // namespace

LogsMerge::LogsMerge(Fs& fs, const Clock& clock, std::string home, rotate::LineFilter filter)
    : fs_(fs),
      clock_(clock),
      home_(std::move(home)),
      filter_(std::move(filter)),
      looked_ns_(clock.system_ns()) {}

void LogsMerge::update(std::vector<LogSource> sources, const Seek& seek) {
  for (LogSource& source : sources) {
    const auto known = std::find_if(logs_.begin(), logs_.end(), [&](const auto& log) {
      return log->source.path == source.path;
    });
    if (known != logs_.end()) {
      (*known)->source = std::move(source);
      continue;
    }
    auto log = std::make_unique<Log>();
    log->source = std::move(source);
    rotate::LineFilter filter = filter_;
    filter.wants = [wanted = &log->source](WorkerId worker, StreamKind kind) {
      return wanted->wants(worker, kind);
    };
    log->reader = std::make_unique<rotate::LogReader>(
        fs_, rotate::LogDir(home_ + "/state", log->source.path), std::move(filter));
    seek(*log->reader);
    logs_.push_back(std::move(log));
    if (follower_) follow_log(logs_.size() - 1);
    pull(logs_.size() - 1);
  }
}

std::size_t LogsMerge::longest_label() const {
  std::size_t longest = 0;
  for (const auto& log : logs_) longest = std::max(longest, log->source.longest_label());
  return longest;
}

void LogsMerge::follow(const std::string& path) {
  follower_.emplace(clock_);
  for (std::size_t i = 0; i < logs_.size(); ++i) follow_log(i);
  follower_->watch_file(path, kPathKey);
}

void LogsMerge::follow_log(std::size_t log) {
  // pmx.log has no index, and need not be there yet.
  if (logs_[log]->source.own_log)
    follower_->watch_file(logs_[log]->source.path, log);
  else
    follower_->follow(*logs_[log]->reader, log);
}

bool LogsMerge::path_changed() {
  look_at_changed();
  return std::exchange(path_changed_, false);
}

void LogsMerge::pull(std::size_t log) {
  Log& from = *logs_[log];
  from.line = from.reader->next();
  unfinished_.erase(log);
  if (!from.line) {
    if (from.reader->has_unfinished()) unfinished_[log] = clock_.steady_now();
    return from.reader->release_memory();
  }
  heads_.push_back({from.line->time_ns, log});
  std::push_heap(heads_.begin(), heads_.end(), std::greater<>());
}

void LogsMerge::look_at_changed() {
  if (!follower_) return;
  const std::int64_t before_ns = clock_.system_ns();
  for (const rotate::LogFollower::Key key : follower_->take_changed()) {
    if (key == kPathKey)
      path_changed_ = true;
    else if (!logs_[key]->line)
      pull(key);
  }
  looked_ns_ = before_ns;
}

bool LogsMerge::print_all(const Print& print) {
  for (int printed = 0;; ++printed) {
    if (printed % kLinesBetweenLooks == 0) look_at_changed();
    if (heads_.empty()) return true;
    std::pop_heap(heads_.begin(), heads_.end(), std::greater<>());
    const std::size_t log = heads_.back().log;
    heads_.pop_back();
    if (!print(logs_[log]->source, *logs_[log]->line)) return false;
    pull(log);
  }
}

bool LogsMerge::print_unfinished(TimePoint quiet_since, const Print& print) {
  for (auto log = unfinished_.begin(); log != unfinished_.end();) {
    if (log->second > quiet_since) {
      ++log;
      continue;
    }
    Log& from = *logs_[log->first];
    while (const auto line = from.reader->next_unfinished())
      if (!print(from.source, *line)) return false;
    log = unfinished_.erase(log);
  }
  return true;
}

std::optional<LogsMerge::TimePoint> LogsMerge::unfinished_since() const {
  std::optional<TimePoint> since;
  for (const auto& [log, quiet_since] : unfinished_)
    since = std::min(since.value_or(quiet_since), quiet_since);
  return since;
}

std::vector<std::string> LogsMerge::take_warnings() {
  std::vector<std::string> warnings;
  for (const auto& log : logs_)
    for (std::string& warning : log->reader->take_warnings())
      warnings.push_back(std::move(warning));
  return warnings;
}

}  // namespace pmx::cli
