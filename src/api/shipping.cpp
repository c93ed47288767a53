#include "api/shipping.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "capture/fields.h"
#include "config/sink_config.h"
#include "ship/make_sink.h"
#include "supervisor/log_paths.h"
#include "supervisor/spawn_request.h"

namespace pmx::api {
namespace {

using supervisor::LogFiles;
using supervisor::Worker;
using supervisor::WorkerRecord;

constexpr auto kTryAgain = std::chrono::seconds(5);

bool is_file(const std::string& path) { return !path.empty() && !path.starts_with("/dev/"); }

// Each line once: the combined log only where it is the one that has both.
std::vector<std::string> logs_to_ship(const LogFiles& files) {
  std::vector<std::string> paths;
  if (is_file(files.log) && !(is_file(files.out) && is_file(files.err))) {
    paths.push_back(files.log);
    return paths;
  }
  if (is_file(files.out)) paths.push_back(files.out);
  if (is_file(files.err) && files.err != files.out) paths.push_back(files.err);
  return paths;
}

std::optional<FileOwner> owner_of(const AppSpec& app, const std::string& path,
                                  const std::string& logs_directory) {
  if (path.starts_with(logs_directory + '/')) return std::nullopt;
  const auto identity = supervisor::identity_of(app);
  if (!identity || !*identity) return std::nullopt;
  return FileOwner{(*identity)->uid, (*identity)->gid};
}

ship::Origin origin_of(const AppSpec& app, const std::string& host) {
  ship::Origin origin;
  origin.app = app.name;
  if (app.app_namespace != "default") origin.app_namespace = app.app_namespace;
  const auto env = app.env.find("NODE_ENV");
  if (env != app.env.end()) origin.env = env->second;
  origin.host = host;
  if (app.version != "N/A") origin.version = app.version;
  return origin;
}

std::string text_of(const ship::Origin& origin) {
  return origin.app + '\n' + origin.app_namespace + '\n' + origin.env + '\n' + origin.version +
         '\n';
}

std::string text_of(const std::vector<ship::Shipment>& shipments) {
  std::string text;
  for (const ship::Shipment& shipment : shipments) {
    text += config::sink_to_json(shipment.sink.spec).dump() + '\n' + shipment.sink.secret + '\n' +
            text_of(shipment.origin);
    for (const ship::Shipment::Log& log : shipment.logs) text += log.path + '\n';
  }
  return text;
}

Result<SinkSpec> spec_of(const Json& json) {
  config::ConfiguredSink sink = PMX_TRY(config::sink_from_json(json));
  return std::move(sink.spec);
}

}  // namespace

Result<std::unique_ptr<Shipping>> Shipping::start(Parts parts) {
  std::unique_ptr<Shipping> shipping(new Shipping(std::move(parts)));
  const Parts& own = shipping->parts_;
  auto secrets = ship::SecretStore::open(own.files, own.home);
  if (secrets)
    shipping->secrets_ = std::move(*secrets);
  else
    own.notice("ship: " + secrets.error().message() + ": stores that want one will answer 401");
  shipping->engine_ = PMX_TRY(ship::ShipEngine::start(
      {own.home}, {own.clock, &capture::severity_of, own.notice,
                   [self = shipping.get()](const std::string& path) {
                     self->parts_.post([self, path] {
                       if (self->pipeline_ != nullptr) self->pipeline_->floor_moved(path);
                     });
                   },
                   [self = shipping.get()](const std::string& base) {
                     self->parts_.post([self, base] { self->engine_->forget_lane(base); });
                   },
                   [self = shipping.get()](const std::string& base, const std::string& path) {
                     self->parts_.post(
                         [self, base, path] { self->engine_->forget_log(base, path); });
                   },
                   [self = shipping.get()] {
                     self->parts_.post([self] {
                       self->last_wish_.reset();
                       self->list_changed();
                     });
                   },
                   &config::sink_to_json, &spec_of,
                   [self = shipping.get()](const SinkSpec& spec) { return self->secret_of(spec); },
                   &ship::make_transport}));
  return shipping;
}

Shipping::~Shipping() { parts_.timers.cancel(retry_timer_); }

void Shipping::serve(const supervisor::Supervisor& workers, supervisor::Pipeline& pipeline) {
  workers_ = &workers;
  pipeline_ = &pipeline;
}

// What the worker adds to the wish, but for secrets: these come with a change of the list.
std::string Shipping::text_of_worker(const WorkerRecord& record) const {
  if (record.spec.ship.empty()) return "";
  std::string text = text_of(origin_of(record.spec, parts_.host));
  for (const SinkSpec& sink : record.spec.ship) text += config::sink_to_json(sink).dump() + '\n';
  for (const std::string& path :
       logs_to_ship(supervisor::log_files(record.spec, record.id, parts_.home + "/logs")))
    text += path + '\n';
  return text;
}

void Shipping::before_launch(const WorkerRecord& record) {
  const auto known = looked_at_.find(record.id);
  if (known == looked_at_.end() || known->second != text_of_worker(record)) list_changed();
}

void Shipping::list_changed() {
  if (workers_ == nullptr) return;
  looked_at_.clear();
  for (const Worker* worker : workers_->workers())
    looked_at_[worker->record().id] = text_of_worker(worker->record());
  const std::vector<ship::Shipment> shipments = wanted();
  std::string wish = text_of(shipments);
  if (wish == last_wish_) return;
  std::set<std::string> listed;
  for (const Worker* worker : workers_->workers()) listed.insert(worker->record().spec.name);
  const auto configured = engine_->configure(shipments, listed);
  if (configured) {
    last_wish_ = std::move(wish);
    last_trouble_.clear();
    for (const Worker* worker : workers_->workers()) tell_run(worker->record());
    return;
  }
  if (last_trouble_ != configured.error().message())
    parts_.notice("ship: " + configured.error().message() + ": trying again in 5 s");
  last_trouble_ = configured.error().message();
  parts_.timers.cancel(retry_timer_);
  retry_timer_ = parts_.timers.call_after(kTryAgain, [this] {
    retry_timer_ = 0;
    list_changed();
  });
}

// By sink and app: all instances of an app go one way.
std::vector<ship::Shipment> Shipping::wanted() {
  std::vector<ship::Shipment> all;
  std::map<std::pair<std::string, std::string>, std::size_t> known;
  const std::string directory = parts_.home + "/logs";
  for (const Worker* worker : workers_->workers()) {
    const WorkerRecord& record = worker->record();
    for (const SinkSpec& sink : record.spec.ship) {
      const auto [at, fresh] = known.try_emplace({sink_id(sink), record.spec.name}, all.size());
      if (fresh) {
        ship::SinkContext context;
        context.spec = sink;
        context.secret = secret_of(sink);
        all.push_back({std::move(context), origin_of(record.spec, parts_.host), {}});
      }
      std::vector<ship::Shipment::Log>& logs = all[at->second].logs;
      for (const std::string& path :
           logs_to_ship(supervisor::log_files(record.spec, record.id, directory))) {
        const bool there = std::any_of(logs.begin(), logs.end(),
                                       [&](const auto& log) { return log.path == path; });
        if (!there) logs.push_back({path, owner_of(record.spec, path, directory)});
      }
    }
  }
  return all;
}

// A file is read anew, so that a secret that was changed is taken with the next change of the list.
std::string Shipping::secret_of(const SinkSpec& spec) {
  if (!spec.auth.secret_file.empty()) {
    const auto read = ship::resolve(
        spec.auth, "", [](const std::string&) { return std::nullopt; }, parts_.files);
    if (read) return read->secret;
  }
  return secrets_ ? secrets_->get(sink_id(spec)).value_or("") : "";
}

void Shipping::keep_secrets(const config::SinkSecrets& secrets) {
  if (!secrets_) return;
  for (const auto& [id, secret] : secrets) {
    const auto kept = secrets_->put(id, secret);
    if (!kept) parts_.notice("ship: " + kept.error().message());
  }
  if (!secrets.empty()) looked_at_.clear();  // The next start takes them along.
}

void Shipping::child_changed(const supervisor::Child& child) {
  if (workers_ == nullptr || child.state != supervisor::Child::State::kRunning) return;
  for (const Worker* worker : workers_->workers())
    if (worker->record().run == child.run) tell_run(worker->record());
}

void Shipping::tell_run(const WorkerRecord& record) {
  if (record.spec.ship.empty() || record.run.value == 0 || record.pid == 0) return;
  engine_->run_known(record.run, {.pid = record.pid,
                                  .instance = record.instance,
                                  .run = static_cast<std::uint64_t>(record.restarts),
                                  .known = true});
}

void Shipping::drain(std::chrono::milliseconds patience, std::function<void()> done) {
  engine_->drain(patience, [this, done = std::move(done)] { parts_.post(done); });
}

// ---- What users ask.

ship::ShipEngine::Answer Shipping::on_control(Done done) const {
  return [this, done = std::move(done)](const Result<Json>& answer) {
    parts_.post([done, answer] { done(answer); });
  };
}

void Shipping::status(Done done) {
  std::map<std::string, std::uint64_t> numbers;
  if (pipeline_ != nullptr)
    for (const supervisor::LogStatus& log : pipeline_->status())
      numbers[log.path] = log.captured_lines;
  engine_->status(std::move(numbers), on_control(std::move(done)));
}

void Shipping::test(SinkSpec sink, std::string secret, Done done) {
  ship::SinkContext context;
  context.spec = std::move(sink);
  context.secret = secret.empty() ? secret_of(context.spec) : std::move(secret);
  engine_->test(std::move(context), parts_.host, on_control(std::move(done)));
}

void Shipping::pause(const std::string& sink, Done done) {
  engine_->pause(sink, true, on_control(std::move(done)));
}

void Shipping::resume(const std::string& sink, Done done) {
  engine_->pause(sink, false, on_control(std::move(done)));
}

void Shipping::retry(const std::string& sink, Done done) {
  engine_->retry(sink, on_control(std::move(done)));
}

}  // namespace pmx::api
