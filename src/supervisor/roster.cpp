#include "supervisor/roster.h"

#include <algorithm>

#include "base/sys.h"

namespace pmx::supervisor {
namespace {

constexpr std::int64_t kVersion = 1;

Json number_or_null(const std::optional<int>& value) {
  if (!value) return nullptr;
  return *value;
}

Json exit_to_json(const std::optional<ExitFacts>& exit) {
  if (!exit) return nullptr;
  return Json::object({{"code", number_or_null(exit->code)},
                       {"signal", number_or_null(exit->signal)},
                       {"at_ns", exit->at_ns},
                       {"ran_ns", exit->ran_ns},
                       {"rss_kib", exit->rss_kib},
                       {"cause", name_of(exit->cause)},
                       {"run", exit->run.value}});
}

ExitCause cause_from(const std::string& name) {
  const auto* const cause = std::find(kExitCauseNames.begin(), kExitCauseNames.end(), name);
  return cause == kExitCauseNames.end() ? ExitFacts().cause
                                        : static_cast<ExitCause>(cause - kExitCauseNames.begin());
}

std::optional<ExitFacts> exit_from_json(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  ExitFacts exit;
  if (json["code"].is_integer()) exit.code = static_cast<int>(json["code"].as_int());
  if (json["signal"].is_integer()) exit.signal = static_cast<int>(json["signal"].as_int());
  exit.at_ns = json["at_ns"].as_int();
  exit.ran_ns = json["ran_ns"].as_int();
  exit.rss_kib = static_cast<std::uint64_t>(json["rss_kib"].as_int());
  exit.run.value = static_cast<std::uint64_t>(json["run"].as_int());
  exit.cause = cause_from(json["cause"].as_string());
  return exit;
}

Json logs_to_json(const LogFiles& logs) {
  return Json::object({{"out", logs.out}, {"err", logs.err}, {"log", logs.log}});
}

LogFiles logs_from_json(const Json& json) {
  return {json["out"].as_string(), json["err"].as_string(), json["log"].as_string()};
}

Json links_to_json(const std::optional<Links>& links) {
  if (!links) return nullptr;
  Json json = Json::object();
  for (const auto& [path, led] : *links) json.set(path, led);
  return json;
}

std::optional<Links> links_from_json(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  Links links;
  for (const auto& [path, led] : json.members()) links[path] = led.as_string();
  return links;
}

Json side_run_to_json(const std::optional<SideRun>& run) {
  if (!run) return nullptr;
  return Json::object({{"run", run->run.value},
                       {"pid", run->pid},
                       {"start_ticks", run->start_ticks},
                       {"started_ns", run->started_ns},
                       {"ready", run->ready}});
}

SideRun side_run_from_json(const Json& json) {
  return {{static_cast<std::uint64_t>(json["run"].as_int())},
          static_cast<pid_t>(json["pid"].as_int()),
          static_cast<std::uint64_t>(json["start_ticks"].as_int()),
          json["started_ns"].as_int(),
          json["ready"].as_bool()};
}

Json leaving_to_json(const std::vector<LeavingRun>& runs) {
  Json list = Json::array();
  for (const LeavingRun& run : runs) {
    Json entry = side_run_to_json(run);
    entry.set("disconnected", run.disconnected);
    entry.set("why", name_of(run.why));
    list.push_back(std::move(entry));
  }
  return list;
}

LeavingRun leaving_from_json(const Json& json) {
  LeavingRun run;
  static_cast<SideRun&>(run) = side_run_from_json(json);
  run.disconnected = json["disconnected"].as_bool();
  run.why = cause_from(json["why"].as_string());
  return run;
}

// All but the spec, which is kept as text: it holds whole environments, and changes rarely.
Json to_json(const WorkerRecord& worker) {
  Json unstable = Json::array();
  for (const std::int64_t at : worker.memory.unstable_ns) unstable.push_back(at);
  return Json::object({
      {"id", worker.id.value},
      {"name", worker.spec.name},
      {"namespace", worker.spec.app_namespace},
      {"status", name_of(worker.state)},
      {"should_run", worker.should_run},
      {"instance", worker.instance},
      {"unique_id", worker.unique_id},
      {"restarts", worker.restarts},
      {"unstable", unstable},
      {"backoff_ms", worker.memory.backoff_delay.count()},
      {"exit", exit_to_json(worker.last_exit)},
      {"cron_due_ns", worker.cron_due_ns},
      {"limit_runs_ns", Json::Array(worker.limit_runs_ns.begin(), worker.limit_runs_ns.end())},
      {"run", worker.run.value},
      {"pid", worker.pid},
      {"start_ticks", worker.start_ticks},
      {"started_ns", worker.started_ns},
      {"created_ns", worker.created_ns},
      {"logs", logs_to_json(worker.logs)},
      {"successor", side_run_to_json(worker.successor)},
      {"successor_logs", logs_to_json(worker.successor_logs)},
      {"leaving", leaving_to_json(worker.leaving)},
      {"links", links_to_json(worker.links)},
      {"successor_links", links_to_json(worker.successor_links)},
      {"proven", worker.proven},
      {"failed_reload", worker.failed_reload.value},
      {"actions", worker.actions},
      {"trouble", worker.trouble},
  });
}

std::string release_text(const Release& release, const AppCodec& codec) {
  return Json::object({{"app", codec.to_json(release.app)},
                       {"links", links_to_json(release.links)},
                       {"at_ns", release.at_ns}})
      .dump();
}

std::optional<Release> release_from_json(const Json& json, const AppCodec& codec) {
  auto app = codec.from_json(json["app"]);
  auto links = links_from_json(json["links"]);
  if (!app || !links) return std::nullopt;
  return Release{std::move(*app), std::move(*links), json["at_ns"].as_int()};
}

WorkerState state_from(const std::string& name) {
  const auto* const found = std::find(kStateNames.begin(), kStateNames.end(), name);
  if (found == kStateNames.end()) return WorkerState::kStopped;
  return static_cast<WorkerState>(found - kStateNames.begin());
}

Result<WorkerRecord> worker_from_json(const Json& json, const AppCodec& codec) {
  WorkerRecord worker;
  worker.id.value = static_cast<std::uint32_t>(json["id"].as_int());
  worker.spec = PMX_TRY(codec.from_json(json["spec"]));
  worker.state = state_from(json["status"].as_string());
  worker.should_run = json["should_run"].as_bool();
  worker.instance = json["instance"].as_int();
  worker.unique_id = json["unique_id"].as_string();
  worker.restarts = json["restarts"].as_int();
  for (const Json& at : json["unstable"].items()) worker.memory.unstable_ns.push_back(at.as_int());
  worker.memory.backoff_delay = std::chrono::milliseconds(json["backoff_ms"].as_int());
  worker.last_exit = exit_from_json(json["exit"]);
  worker.cron_due_ns = json["cron_due_ns"].as_int();
  for (const Json& time : json["limit_runs_ns"].items())
    worker.limit_runs_ns.push_back(time.as_int());
  worker.run.value = static_cast<std::uint64_t>(json["run"].as_int());
  worker.pid = static_cast<pid_t>(json["pid"].as_int());
  worker.start_ticks = static_cast<std::uint64_t>(json["start_ticks"].as_int());
  worker.started_ns = json["started_ns"].as_int();
  worker.created_ns = json["created_ns"].as_int();
  worker.logs = logs_from_json(json["logs"]);
  if (json["successor"].is_object()) worker.successor = side_run_from_json(json["successor"]);
  worker.failed_reload.value = static_cast<std::uint64_t>(json["failed_reload"].as_int());
  worker.successor_logs = logs_from_json(json["successor_logs"]);
  for (const Json& run : json["leaving"].items()) worker.leaving.push_back(leaving_from_json(run));
  // What cannot be read is no reload any more; the run that was to take over is ended.
  if (auto spec = codec.from_json(json["reload_to"]); spec && json["reload_to"].is_object())
    worker.reload_to = std::move(*spec);
  worker.links = links_from_json(json["links"]);
  worker.successor_links = links_from_json(json["successor_links"]);
  worker.proven = json["proven"].as_bool();
  worker.before = release_from_json(json["before"], codec);
  worker.actions = json["actions"];
  worker.trouble = json["trouble"].as_string();
  return worker;
}

}  // namespace

Roster::Roster(std::string path, Fs& files, KeeperLink& link, AppCodec codec)
    : path_(std::move(path)),
      files_(files),
      link_(link),
      codec_(std::move(codec)),
      boot_(sys::boot_id_hash()) {}

Result<RosterContents> Roster::parse(std::string_view text) const {
  const Json json = PMX_TRY(Json::parse(text));
  if (!json.is_object() || !json["workers"].is_array())
    return corrupt("it holds no list of workers");
  if (json["version"].as_int() > kVersion)
    return corrupt("it was written by a newer pmx (version " +
                   std::to_string(json["version"].as_int()) + ")");
  RosterContents contents;
  contents.next_id = static_cast<std::uint32_t>(json["next_id"].as_int());
  contents.last_run.value = static_cast<std::uint64_t>(json["next_run"].as_int());
  contents.boot = static_cast<std::uint64_t>(json["boot"].as_int());
  contents.serial = json["serial"].as_int();
  for (const Json& item : json["workers"].items()) {
    auto worker = worker_from_json(item, codec_);
    if (worker) {
      contents.next_id = std::max(contents.next_id, worker->id.value + 1);
      contents.workers.push_back(std::move(*worker));
    } else {
      contents.notices.push_back(
          "app " + item["name"].as_string() +
          " of the saved list cannot be taken over: " + worker.error().message());
    }
  }
  return contents;
}

RosterContents Roster::load(bool ignore_state) {
  RosterContents contents = load_file();
  serial_ = contents.serial;
  if (ignore_state || link_.state().empty()) return contents;
  auto held = parse(link_.state());
  if (!held) {
    contents.notices.insert(contents.notices.begin(),
                            "the keeper's copy of the list of apps: " + held.error().message() +
                                "; using the one on disk");
    return contents;
  }
  // The keeper's is the newer one where no disk could be written, the file's where a daemon died
  // before its last words reached the keeper.
  if (held->serial < contents.serial) return contents;
  serial_ = held->serial;
  return std::move(*held);
}

RosterContents Roster::load_file() {
  RosterContents contents;
  if (path_.empty()) return contents;
  const auto text = files_.read_file(path_);
  if (!text) {
    if (text.error().code() != Errc::kNotFound)
      contents.notices.push_back("the list of apps cannot be read: " + text.error().message());
    return contents;
  }
  auto parsed = parse(*text);
  const std::string why = parsed ? " could not be read in full" : ": " + parsed.error().message();
  if (parsed) contents = std::move(*parsed);
  if (parsed && contents.notices.empty()) return contents;
  // The next save replaces the file: what could not be read is kept for whoever can.
  const std::string kept = path_ + ".unreadable";
  const bool copied = files_.replace_file(kept, *text).has_value();
  contents.notices.insert(contents.notices.begin(),
                          path_ + why + (copied ? "; kept as " + kept : ""));
  return contents;
}

std::string Roster::text_of(std::uint32_t next_id, RunId last_run,
                            const std::vector<WorkerRecord*>& workers) const {
  std::string text = "{\"version\":" + std::to_string(kVersion) +
                     ",\"serial\":" + std::to_string(serial_) +
                     ",\"next_id\":" + std::to_string(next_id) +
                     ",\"next_run\":" + std::to_string(last_run.value) +
                     ",\"boot\":" + Json(boot_).dump() + ",\"workers\":[";
  const char* separator = "\n";
  for (WorkerRecord* worker : workers) {
    if (worker->spec_text.empty()) worker->spec_text = codec_.to_json(worker->spec).dump();
    std::string entry = to_json(*worker).dump();
    entry.pop_back();  // The closing brace: the spec goes in as it is.
    if (worker->reload_to) entry += ",\"reload_to\":" + codec_.to_json(*worker->reload_to).dump();
    if (worker->before && worker->before_text.empty())
      worker->before_text = release_text(*worker->before, codec_);
    if (worker->before) entry += ",\"before\":" + worker->before_text;
    text += separator + entry + ",\"spec\":" + worker->spec_text + "}";
    separator = ",\n";
  }
  return text + "\n]}\n";
}

void Roster::save(std::uint32_t next_id, RunId last_run,
                  const std::vector<WorkerRecord*>& workers) {
  ++serial_;
  const std::string text = text_of(next_id, last_run, workers);
  trouble_.clear();
  const auto held = link_.set_state(text);
  if (!held) trouble_ = "the keeper does not take the list of apps: " + held.error().message();
  if (path_.empty()) return;
  const auto saved = files_.replace_file(path_, text);
  if (!saved) trouble_ = "the list of apps cannot be saved: " + saved.error().message();
}

}  // namespace pmx::supervisor
