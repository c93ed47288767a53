// What users ask of the engine: each call is posted and answered on the ship thread.
#include <algorithm>

#include "rotate/segment_reader.h"
#include "ship/engine.h"
#include "ship/make_sink.h"
#include "ship/sink_names.h"
#include "ship/sink_runner.h"

namespace pmx::ship {
namespace {

constexpr auto kDrainLook = std::chrono::milliseconds(20);  // Only while somebody waits to end.

}  // namespace

void ShipEngine::status(std::map<std::string, std::uint64_t> numbers, Answer done) {
  loop_->post([this, numbers = std::move(numbers), done = std::move(done)] {
    Json sinks = Json::array();
    const auto next = [&](const std::string& path) -> std::optional<std::uint64_t> {
      const auto found = numbers.find(path);
      return found == numbers.end() ? std::nullopt : std::optional(found->second);
    };
    for (const auto& [id, runner] : runners_) sinks.push_back(runner->status(next));
    for (const auto& [id, broken] : broken_)
      sinks.push_back(Json::object({{"id", id},
                                    {"name", names_[id]},
                                    {"state", "blocked"},
                                    {"state_text", "blocked: " + broken.why},
                                    {"last_error", broken.why}}));
    done(Json::object({{"sinks", sinks}}));
  });
}

// The id of the sink that has this name, or id. A name that several were given is none of theirs.
Result<std::string> ShipEngine::find(const std::string& name) const {
  const std::map<std::string, std::string> given = given_names();
  std::string known, alike;
  for (const auto& [id, distinct] : names_) {
    if (id == name || distinct == name || full_name(given.at(id), id) == name) return id;
    known += (known.empty() ? "" : ", ") + distinct;
    if (given.at(id) != name) continue;
    const auto runner = runners_.find(id);
    alike += (alike.empty() ? "" : ", ") + distinct +
             (runner != runners_.end() ? " (" + runner->second->where() + ")" : "");
  }
  if (!alike.empty()) return invalid("\"" + name + "\" is more than one sink: " + alike);
  return Error(Errc::kNotFound, "no sink \"" + name + "\"" +
                                    (known.empty() ? ": none is in use" : "; there are: " + known));
}

Result<SinkRunner*> ShipEngine::find_runner(const std::string& name) const {
  const std::string id = PMX_TRY(find(name));
  const auto runner = runners_.find(id);
  if (runner != runners_.end()) return runner->second.get();
  return Error(Errc::kUnavailable, names_.at(id) + ": " + broken_.at(id).why);
}

// A store that was paused for its upkeep stays so, whatever becomes of us: the file says it.
std::string ShipEngine::pause_path(const std::string& id) const {
  return options_.home + "/state/ship/" + id + "/paused";
}

Result<void> ShipEngine::keep_pause(const std::string& id, bool on) {
  const std::string path = pause_path(id);
  if (on) return state_.replace_file(path, "", 0600, Fs::Sync::kYes);
  auto removed = state_.remove(path);
  if (!removed && removed.error().code() != Errc::kNotFound) return removed;
  return state_.sync_directory(path.substr(0, path.rfind('/')));
}

void ShipEngine::pause(std::string sink, bool on, Answer done) {
  loop_->post([this, sink = std::move(sink), on, done = std::move(done)] {
    const auto id = find(sink);
    if (!id) return done(id.error());
    const auto kept = keep_pause(*id, on);
    if (!kept) return done(kept.error());
    const auto runner = runners_.find(*id);  // Else one that cannot be made for now.
    if (runner != runners_.end() && on) runner->second->pause();
    if (runner != runners_.end() && !on) runner->second->resume();
    done(Json::object({{"sink", names_[*id]}, {"paused", on}}));
  });
}

void ShipEngine::retry(std::string sink, Answer done) {
  loop_->post([this, sink = std::move(sink), done = std::move(done)] {
    const auto runner = find_runner(sink);
    if (!runner) return done(runner.error());
    (*runner)->retry([done](const Result<std::uint64_t>& taken) {
      if (!taken) return done(taken.error());
      done(Json::object({{"lines", *taken}}));
    });
  });
}

void ShipEngine::drain(std::chrono::milliseconds deadline, std::function<void()> done) {
  loop_->post([this, at = parts_.clock.steady_now() + deadline, done = std::move(done)] {
    for (const auto& [id, runner] : runners_) runner->hurry();
    wait_until_drained(at, done);
  });
}

void ShipEngine::wait_until_drained(std::chrono::steady_clock::time_point deadline,
                                    std::function<void()> done) {
  const bool drained = std::all_of(runners_.begin(), runners_.end(),
                                   [](const auto& entry) { return entry.second->idle(); });
  if (drained || parts_.clock.steady_now() >= deadline) return done();
  (void)timers_->call_after(
      kDrainLook, [this, deadline, done = std::move(done)] { wait_until_drained(deadline, done); });
}

struct ShipEngine::TestJob {
  std::unique_ptr<Sink> sink;
  std::unique_ptr<HttpTransport> transport;
  Origin origin;
  std::string text;
  std::vector<Item> items;
  std::string bytes;
  std::chrono::steady_clock::time_point sent_at;
};

void ShipEngine::test(SinkContext sink, std::string host, Answer done) {
  loop_->post([this, context = std::move(sink), host = std::move(host), done = std::move(done)] {
    auto job = std::make_shared<TestJob>();
    auto transport = parts_.transport(*loop_, state_, context.spec);
    if (!transport) return done(transport.error());
    job->transport = std::move(*transport);
    job->sink = make_sink(context);
    job->origin.app = "pmx-test";
    job->origin.host = host;
    job->text = "pmx ship test: a line to see whether this store takes it";
    Event event;
    const std::size_t size = job->text.size();
    job->text.append(rotate::kReadablePastEnd, '\0');
    event.text = std::string_view(job->text).substr(0, size);
    event.time_ns = parts_.clock.system_ns();
    event.origin = &job->origin;
    const Sink::Group group = job->sink->group_of(event);
    job->sink->encode(event, job->bytes);
    job->items.push_back({static_cast<std::uint32_t>(job->bytes.size()), 1, 0, event.time_ns});
    job->sent_at = parts_.clock.steady_now();
    job->transport->send(
        job->sink->request(group, job->sink->frame(group, job->bytes).body, 0),
        [this, job, done](const HttpAnswer& answer) {
          const Verdict verdict = job->sink->judge(answer, job->items, job->bytes);
          const bool refused = verdict.kind == Verdict::Kind::kItems && !verdict.items.empty() &&
                               (verdict.items[0].kind == ItemVerdict::Kind::kRefused ||
                                verdict.items[0].kind == ItemVerdict::Kind::kRetry);
          const bool taken = !refused && (verdict.kind == Verdict::Kind::kDelivered ||
                                          verdict.kind == Verdict::Kind::kItems);
          const auto took = parts_.clock.steady_now() - job->sent_at;
          const auto took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
          const std::string words = refused ? verdict.items[0].reason
                                    : verdict.why.empty()
                                        ? std::to_string(answer.status) + " " + answer.error
                                        : verdict.why;
          done(Json::object({{"delivered", taken},
                             {"status", answer.status},
                             {"answer", words},
                             {"took_ms", took_ms}}));
          loop_->post([job] {});  // Not from within the transport's own call.
        });
  });
}

}  // namespace pmx::ship
