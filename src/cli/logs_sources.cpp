#include "cli/logs_sources.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "rotate/log_dir.h"
#include "rotate/segment_reader.h"
#include "supervisor/target.h"

namespace pmx::cli {
namespace {

using rotate::kUnknownWorker;

bool is_log_file(const std::string& path) {
  return path.starts_with('/') && !path.starts_with("/dev/");
}

// out_file, or the combined log_file where that is all there is.
const std::string& path_of(const LogWorker& worker, StreamKind kind) {
  const std::string& own = kind == StreamKind::kOut ? worker.out : worker.err;
  return is_log_file(own) ? own : worker.log;
}

bool is_own_log(std::string_view target) {
  return target == "pmx" || target == "PM2" || target == "pm2";
}

bool feeds(const LogWorker& worker, StreamKind kind, const std::string& path) {
  return worker.log == path || (kind == StreamKind::kOut ? worker.out : worker.err) == path;
}

// Without a roster: a worker for each name, "web" of web-out.log and web-error.log.
std::vector<LogWorker> workers_of_known_logs(Fs& fs, const std::string& home) {
  std::map<std::string, LogWorker> by_name;
  for (const rotate::LogDir& dir : rotate::known_logs(fs, home + "/state").value_or({})) {
    const std::string& path = dir.active_path();
    std::string name = path.substr(path.rfind('/') + 1);
    if (name.ends_with(".log")) name.resize(name.size() - 4);
    const bool err = name.ends_with("-error");
    for (const std::string_view ending : {"-error", "-out"})
      if (name.ends_with(ending)) name.resize(name.size() - ending.size());
    LogWorker& worker = by_name[name];
    worker.id = kUnknownWorker;
    worker.name = name;
    (err ? worker.err : worker.out) = path;
  }
  std::vector<LogWorker> workers;
  for (auto& [name, worker] : by_name) workers.push_back(std::move(worker));
  return workers;
}

// Who all feed this log, wanted or not.
void describe(LogSource& source, const std::vector<LogWorker>& workers) {
  std::size_t feeders = 0, feeding_workers = 0;
  bool out = false, err = false;
  for (const LogWorker& worker : workers) {
    const bool has_out = feeds(worker, StreamKind::kOut, source.path);
    const bool has_err = feeds(worker, StreamKind::kErr, source.path);
    feeders += (has_out ? 1U : 0U) + (has_err ? 1U : 0U);
    feeding_workers += has_out || has_err ? 1U : 0U;
    out = out || has_out;
    err = err || has_err;
  }
  source.one_worker = feeding_workers <= 1;
  source.one_kind = !(out && err);
  source.complete = source.feeds.size() >= feeders;
}

// The positions in `workers` that the target means.
Result<std::vector<std::size_t>> chosen(const std::vector<LogWorker>& workers,
                                        std::string_view target) {
  std::vector<std::size_t> all(workers.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  if (target == "all") return all;
  // Ids may be unknown here, so candidates are numbered, and only real ids answer to a number.
  std::vector<supervisor::TargetCandidate> candidates;
  for (const LogWorker& worker : workers)
    candidates.push_back({worker.id, worker.name, worker.app_namespace, {}});
  const auto ids = PMX_TRY(supervisor::resolve_target(target, {}, candidates));
  if (std::find(ids.begin(), ids.end(), kUnknownWorker) == ids.end()) {
    std::erase_if(all, [&](std::size_t i) {
      return std::find(ids.begin(), ids.end(), workers[i].id) == ids.end();
    });
    return all;
  }
  std::vector<std::size_t> named;
  for (const std::size_t i : all) {
    auto candidate = candidates[i];
    const auto match = supervisor::resolve_target(target, {}, {candidate});
    if (match) named.push_back(i);
  }
  return named;
}

}  // namespace

bool LogSource::wants(WorkerId worker, StreamKind kind) const {
  if (complete || worker == kUnknownWorker) return true;
  return std::any_of(feeds.begin(), feeds.end(), [&](const LogFeed& feed) {
    return feed.kind == kind && (one_worker || feed.worker == worker);
  });
}

const LogFeed& LogSource::feed_of(const rotate::LogLine& line) const {
  for (const LogFeed& feed : feeds)
    if (feed.worker == line.worker) return feed;
  return feeds.front();
}

std::string LogSource::label_of(const rotate::LogLine& line) const {
  const LogFeed& feed = feed_of(line);
  if (own_log) return feed.name;
  // An old line of a log of one worker has the id that the worker had then.
  const WorkerId id = one_worker && feed.worker != kUnknownWorker ? feed.worker : line.worker;
  if (id == kUnknownWorker && feed.worker == kUnknownWorker) return feed.name;
  return std::to_string((id == kUnknownWorker ? feed.worker : id).value) + "|" + feed.name;
}

StreamKind LogSource::kind_of(const rotate::LogLine& line) const {
  return one_kind ? feeds.front().kind : line.kind;
}

std::size_t LogSource::longest_label() const {
  std::size_t longest = 0;
  for (const LogFeed& feed : feeds) {
    rotate::LogLine line;
    line.worker = feed.worker;
    longest = std::max(longest, label_of(line).size());
  }
  return longest;
}

std::string apps_path(const std::string& home) { return home + "/state/apps.json"; }

Result<std::vector<LogWorker>> read_log_workers(Fs& fs, const std::string& home) {
  const auto text = fs.read_file(apps_path(home));
  if (!text && text.error().code() == Errc::kNotFound) return workers_of_known_logs(fs, home);
  if (!text) return text.error();
  const Json apps = PMX_TRY_WITHIN(apps_path(home), Json::parse(*text));
  std::vector<LogWorker> workers;
  for (const Json& json : apps["workers"].items()) {
    LogWorker worker;
    worker.id.value = static_cast<std::uint32_t>(json["id"].as_int());
    worker.name = json["name"].as_string();
    worker.app_namespace = json["namespace"].as_string_or("default");
    worker.out = json["logs"]["out"].as_string();
    worker.err = json["logs"]["err"].as_string();
    worker.log = json["logs"]["log"].as_string();
    workers.push_back(std::move(worker));
  }
  return workers;
}

Result<std::vector<LogSource>> sources_of(const std::vector<LogWorker>& workers,
                                          std::string_view target, const std::string& home,
                                          WantedKinds kinds) {
  const auto matching = chosen(workers, target);
  if (!matching) {
    if (!is_own_log(target)) return matching.error();
    LogSource own;
    own.path = home + "/pmx.log";
    own.feeds.push_back({kUnknownWorker, StreamKind::kOut, "PM2"});
    own.own_log = true;
    return std::vector{own};
  }
  std::vector<LogSource> sources;
  for (const std::size_t i : *matching) {
    for (const StreamKind kind : {StreamKind::kOut, StreamKind::kErr}) {
      const std::string& path = path_of(workers[i], kind);
      if (!is_log_file(path) || !(kind == StreamKind::kOut ? kinds.out : kinds.err)) continue;
      auto source = std::find_if(sources.begin(), sources.end(),
                                 [&](const LogSource& s) { return s.path == path; });
      if (source == sources.end()) {
        sources.push_back({});
        source = std::prev(sources.end());
        source->path = path;
      }
      source->feeds.push_back({workers[i].id, kind, workers[i].name});
    }
  }
  for (LogSource& source : sources) describe(source, workers);
  return sources;
}

}  // namespace pmx::cli
