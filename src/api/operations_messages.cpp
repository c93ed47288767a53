// What is sent to workers that run: signals, lines, and PM2's actions. The words of what goes wrong
// are PM2's, because scripts look for them.
#include <signal.h>

#include <algorithm>
#include <optional>

#include "api/operations.h"
#include "base/path.h"
#include "base/signal_name.h"
#include "base/units.h"
#include "supervisor/spawn_request.h"

namespace pmx::api {
namespace {

using supervisor::Triggers;
using supervisor::Worker;
using supervisor::WorkerRecord;
using supervisor::WorkerState;

// Of an app that does not reply. Actions may take their time (a profile), PM2 waits for ever.
constexpr std::chrono::seconds kReplyPatience{30};

bool is_running(const WorkerRecord& record) {
  return record.pid > 0 && record.state != WorkerState::kStopping;
}

Json origin_of(const WorkerRecord& record) {
  return Json::object({{"name", record.spec.name},
                       {"pm_id", record.id.value},
                       {"namespace", record.spec.app_namespace}});
}

}  // namespace

void Operations::send_signal(std::string_view signal, std::string_view target, std::string_view cwd,
                             const Done& done) {
  const auto number = signal_number(signal);
  if (!number)
    return done(invalid("Unknown signal: " + std::string(signal) + " (names are as SIGUSR2)"));
  const bool by_id = parse_integer(target).has_value();
  const auto ids = supervisor::resolve_target(target, cwd, workers_.candidates());
  if (!ids)
    return done(Error(Errc::kNotFound,
                      by_id ? std::string(target) + " id unknown" : "Unknown process name"));
  std::vector<WorkerId> told;
  for (const WorkerId id : *ids) {
    const auto sent = workers_.send_signal(id, *number);
    if (sent) told.push_back(id);
    // One that is not there is passed over as PM2 does; one that cannot be signalled is an error.
    if (!sent && retryable(sent.error())) continue;
    if (!sent && sent.error().code() != Errc::kNotFound) return done(sent.error());
  }
  if (told.empty())
    return done(Error(Errc::kNotFound,
                      std::string(target) + " is not running: the signal was sent to nobody"));
  done(outcome_of(told));
}

void Operations::send_line(std::string_view id, std::string_view line, const Done& done) {
  const std::string process = "Process with ID <" + std::string(id) + ">";
  const auto number = parse_integer(id);
  const WorkerId worker{number ? static_cast<std::uint32_t>(*number) : 0};
  const Worker* const found = number ? workers_.find(worker) : nullptr;
  if (found == nullptr) return done(Error(Errc::kNotFound, process + " unknown."));
  if (found->record().spec.exec_mode == "cluster_mode")
    return done(invalid("Cannot send line to processes in cluster mode"));
  if (!is_running(found->record())) return done(Error(Errc::kNotFound, process + " offline."));
  const auto sent = workers_.send_line(worker, line);
  if (!sent) return done(Error(sent.error().code(), process + " " + sent.error().message()));
  done(outcome_of({worker}));
}

void Operations::traffic(std::string_view target, std::string_view cwd, const Replied& done) {
  const auto ids = supervisor::resolve_target(target, cwd, workers_.candidates());
  if (!ids) return done(ids.error());
  workers_.count_traffic(*ids, [this, ids = *ids, done](std::vector<Triggers::Reply> replies) {
    Json list = Json::array();
    for (const WorkerId id : ids) {
      const Worker* const worker = workers_.find(id);
      if (worker == nullptr) continue;
      const WorkerRecord& record = worker->record();
      Json entry = origin_of(record);
      entry.set("instance", record.instance);
      entry.set("pid", static_cast<std::int64_t>(record.pid));
      if (workers_.shares_port(record.spec)) entry.set("balance", record.spec.balance);
      entry.set("lived_ms", workers_.lived_ms(id));
      for (const Triggers::Reply& reply : replies)
        for (const char* const key : {"open", "connections", "requests"})
          if (reply.worker == id) entry.set(key, reply.value[key]);
      list.push_back(std::move(entry));
    }
    done(std::move(list));
  });
}

void Operations::trigger(std::string_view target, std::string_view action, const Json& parameter,
                         const Replied& done) {
  const auto number = parse_integer(target);
  std::vector<WorkerId> ids;
  for (const Worker* worker : workers_.workers()) {
    const WorkerRecord& record = worker->record();
    const AppSpec& app = record.spec;
    const bool meant = number ? record.id.value == *number
                              : target == "all" || app.name == target ||
                                    app.app_namespace == target || base_name(app.script) == target;
    if (!meant) continue;
    const bool knows = supervisor::knows_action(record.actions, action);
    if (number && !knows)
      return done(Error(Errc::kNotFound,
                        "Action doesn't exist " + std::string(action) + " for " + app.name));
    if (number && !is_running(record))
      return done(Error(Errc::kNotFound, std::string(target) + " : id offline"));
    if (knows && is_running(record)) ids.push_back(record.id);
  }
  if (ids.empty())
    return done(Error(Errc::kNotFound,
                      number ? std::string(target) + " id unknown"
                             : "Not any process has received a command (offline or unexistent)"));
  // As PM2 sends it: the bare name, or all of the command where it has a parameter.
  const Json message =
      parameter.is_null()
          ? Json(action)
          : Json::object({{"msg", action}, {"opts", parameter}, {number ? "id" : "name", target}});
  const std::string text = message.dump();
  const auto answered = [this, done](const std::vector<Triggers::Reply>& replies) {
    Json list = Json::array();
    for (const Triggers::Reply& reply : replies) {
      const Worker* const worker = workers_.find(reply.worker);
      if (worker == nullptr) continue;
      Json entry = origin_of(worker->record());
      if (reply.returned) entry.set("return", reply.value);
      if (!reply.trouble.empty()) entry.set("trouble", reply.trouble);
      list.push_back(std::move(entry));
    }
    done(std::move(list));
  };
  // All at once before any is asked: a reply may come while the next is being asked.
  auto expected = workers_.triggers().expect(std::string(action), ids, kReplyPatience, answered);
  if (!expected) return done(std::move(expected).error());
  for (const WorkerId id : ids) {
    const auto sent = workers_.say(id, text);
    if (!sent) workers_.triggers().failed(id, sent.error().message());
  }
}

}  // namespace pmx::api
