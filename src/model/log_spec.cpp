#include "model/log_spec.h"

namespace pmx {
namespace {

Json texts(const std::vector<std::string>& list) { return Json::Array(list.begin(), list.end()); }

std::vector<std::string> texts_of(const Json& json) {
  std::vector<std::string> list;
  for (const Json& item : json.items()) list.push_back(item.as_string());
  return list;
}

Json to_json(const LogSpec& log) {
  Json json = Json::object({
      {"path", log.path},
      {"merged", log.merged},
      {"render", static_cast<int>(log.render.kind)},
      {"date_format", log.render.date_format},
      {"app_name", log.render.app_name},
      {"max_size", log.rotate.max_size_bytes},
      {"every", log.rotate.every},
      {"retain", log.rotate.retain},
      {"max_age_ms", log.rotate.max_age.count()},
      {"max_total_size", log.rotate.max_total_size_bytes},
      {"compress", static_cast<int>(log.rotate.compress)},
      {"level", log.rotate.level},
      {"when_full", static_cast<int>(log.when_full)},
      {"sync", static_cast<int>(log.sync.mode)},
      {"sync_ms", log.sync.interval.count()},
  });
  if (const RedactRules& rules = log.render.redact; rules.any())
    json.set("redact", Json::object({{"builtin", rules.builtin},
                                     {"patterns", texts(rules.patterns)},
                                     {"keys", texts(rules.keys)}}));
  if (log.owner) {
    json.set("uid", log.owner->uid);
    json.set("gid", log.owner->gid);
  }
  return json;
}

LogSpec log_from_json(const Json& json) {
  LogSpec log;
  log.path = json["path"].as_string();
  log.merged = json["merged"].as_bool();
  log.render.kind = static_cast<RenderSpec::Kind>(json["render"].as_int());
  log.render.date_format = json["date_format"].as_string();
  log.render.app_name = json["app_name"].as_string();
  log.render.redact = {json["redact"]["builtin"].as_bool(), texts_of(json["redact"]["patterns"]),
                       texts_of(json["redact"]["keys"])};
  log.rotate.max_size_bytes = static_cast<std::uint64_t>(json["max_size"].as_int());
  log.rotate.every = json["every"].as_string();
  log.rotate.retain = static_cast<std::uint32_t>(json["retain"].as_int());
  log.rotate.max_age = std::chrono::milliseconds(json["max_age_ms"].as_int());
  log.rotate.max_total_size_bytes = static_cast<std::uint64_t>(json["max_total_size"].as_int());
  log.rotate.compress = static_cast<Compression>(json["compress"].as_int());
  log.rotate.level = static_cast<int>(json["level"].as_int());
  log.when_full = static_cast<WhenFull>(json["when_full"].as_int());
  log.sync.mode = static_cast<SyncPolicy::Mode>(json["sync"].as_int());
  log.sync.interval = std::chrono::milliseconds(json["sync_ms"].as_int());
  if (json.find("uid"))
    log.owner = FileOwner{static_cast<uid_t>(json["uid"].as_int()),
                          static_cast<gid_t>(json["gid"].as_int())};
  return log;
}

}  // namespace

bool LogSpec::operator==(const LogSpec& other) const { return to_json(*this) == to_json(other); }

Json to_json(const RunSpec& spec) {
  Json streams = Json::array();
  for (const StreamSpec& stream : spec.streams) {
    Json logs = Json::array();
    for (const LogSpec& log : stream.logs) logs.push_back(to_json(log));
    streams.push_back(Json::object(
        {{"id", stream.id.value}, {"kind", static_cast<int>(stream.kind)}, {"logs", logs}}));
  }
  return Json::object({{"run", spec.run.value},
                       {"worker", spec.worker.value},
                       {"app", spec.app_name},
                       {"streams", streams}});
}

Result<RunSpec> run_spec_from_json(const Json& json) {
  RunSpec spec;
  spec.run.value = static_cast<std::uint64_t>(json["run"].as_int());
  spec.worker.value = static_cast<std::uint32_t>(json["worker"].as_int());
  spec.app_name = json["app"].as_string();
  for (const Json& item : json["streams"].items()) {
    StreamSpec stream;
    stream.id.value = static_cast<std::uint64_t>(item["id"].as_int());
    stream.kind = static_cast<StreamKind>(item["kind"].as_int());
    for (const Json& log : item["logs"].items()) stream.logs.push_back(log_from_json(log));
    spec.streams.push_back(std::move(stream));
  }
  if (spec.run.value == 0) return corrupt("run description without a run id");
  return spec;
}

}  // namespace pmx
