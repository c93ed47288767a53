#include "api/daemon.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>

#include "api/foreground.h"
#include "api/home_settings.h"
#include "api/internal/process_limits.h"
#include "api/own_log.h"
#include "api/pm2_home.h"
#include "api/routes.h"
#include "api/run_file.h"
#include "api/service_notify.h"
#include "api/shipping.h"
#include "base/bind_probe.h"
#include "base/crash_point.h"
#include "base/signal_name.h"
#include "base/sys.h"
#include "config/settings.h"
#include "config/sink_config.h"
#include "supervisor/echo.h"
#include "supervisor/keeper_start.h"
#include "supervisor/log_paths.h"

namespace pmx::api {
namespace {

using supervisor::Child;
using supervisor::KeeperLink;
using supervisor::Pipeline;

constexpr const char* kListenerName = "listen.control";
constexpr const char* kEchoName = "echo";
constexpr std::chrono::seconds kDrainPatience{5}, kShipPatience{5}, kListenRetry{5};
constexpr std::chrono::seconds kLeavePatience{10};

class Daemon {
 public:
  explicit Daemon(DaemonOptions options)
      : options_(std::move(options)), log_(OwnLog::open(options_.home + "/pmx.log")) {}
  ~Daemon() { server_.reset(); }
  Result<void> start();
  int run();

 private:
  bool foreground() const { return !options_.run_file.empty(); }
  Result<void> connect();
  void prepare_home();
  void settings_changed();
  Result<void> start_shipping();
  Result<void> start_pipeline();
  Result<void> start_supervisor();
  Result<void> start_echo(const RunFile& file);
  Result<void> listen();
  Result<Fd> listener();
  void listen_or_retry();
  Json ping() const;
  void notice(const std::string& line) { log_->line(line); }
  void write_pid_file();
  void signal_received(int signal);
  void shut_down();
  void finish(int exit_code);
  void end(int exit_code);
  Result<void> update(const std::string& keeper, const std::string& daemon);
  void leave(EventLoop::TimePoint deadline);

  const DaemonOptions options_;
  std::unique_ptr<OwnLog> log_;
  const RealClock clock_;
  RealFs files_;
  // In the order of need: what comes later goes first.
  std::unique_ptr<SettingsStore> settings_;
  std::unique_ptr<HomeSettings> home_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<LoopTimers> timers_;
  std::unique_ptr<LoopWatches> watches_;
  std::unique_ptr<KeeperLink> link_;
  std::vector<RunSpec> held_runs_;
  std::unique_ptr<Shipping> shipping_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<supervisor::Echo> echo_;
  std::unique_ptr<supervisor::Supervisor> workers_;
  std::unique_ptr<Foreground> foreground_;
  std::unique_ptr<Operations> operations_;
  std::unique_ptr<ProcessList> list_;
  std::unique_ptr<Routes> routes_;
  std::unique_ptr<Server> server_;
  pid_t keeper_pid_ = 0;
  std::size_t drains_open_ = 0;
  int end_signals_ = 0;
  bool finishing_ = false;
};

Result<void> Daemon::connect() {
  loop_ = PMX_TRY(EventLoop::create());
  timers_ = std::make_unique<LoopTimers>(*loop_);
  watches_ = std::make_unique<LoopWatches>(*loop_);
  KeeperLink::Events events;
  events.child_changed = [this](const Child& child) {
    // Before the supervisor is there, the keeper's table already says it.
    if (workers_) workers_->child_changed(child);
    if (shipping_) shipping_->child_changed(child);
  };
  events.signal_received = [this](int signal) {
    // At once: behind it come the ends of those to whom the keeper has passed it on.
    if (foreground_) return signal_received(signal);
    loop_->post([this, signal] { signal_received(signal); });
  };
  events.notice = [this](const std::string& line) {
    notice(line);
    if (link_ && link_->keeper_pid() != keeper_pid_) write_pid_file();
  };
  KeeperLink::Options link;
  link.socket_fd = options_.keeper_fd;
  link.keeper_executable = options_.keeper_executable;
  link.keeper_arguments = options_.keeper_arguments;
  link_ = PMX_TRY(KeeperLink::connect(*loop_, std::move(link), std::move(events)));
  const char* const points = std::getenv("PMX_CRASH_POINTS");  // Tests only; see crash_point.h.
  if (points != nullptr) crash_points::arm(points, link_->incarnation());
  crash_point(CrashPoint::kStart);
  return {};
}

void Daemon::prepare_home() {
  for (const char* const part : {"", "/logs", "/pids", "/state"}) {
    const auto made = files_.make_directories(options_.home + part, 0700);
    if (!made) notice(made.error().message());  // What needs it says so again, and tries again.
  }
  write_pid_file();
}

// The keeper's: it is the one that stays, and the one that a service manager may signal.
void Daemon::write_pid_file() {
  keeper_pid_ = link_->keeper_pid();
  const auto written =
      files_.replace_file(options_.home + "/pmx.pid", std::to_string(keeper_pid_) + "\n", 0644);
  if (!written) notice("pid file: " + written.error().message());
}

// Before the pipeline, whose retention keeps what is still to be shipped.
Result<void> Daemon::start_shipping() {
  char host[256] = "localhost";
  (void)::gethostname(host, sizeof host - 1);
  shipping_ =
      PMX_TRY(Shipping::start({options_.home, host, files_, clock_, *timers_,
                               [this](std::function<void()> call) { loop_->post(std::move(call)); },
                               [this](const std::string& line) { notice(line); }}));
  return {};
}

void Daemon::settings_changed() {
  home_->read();
  pipeline_->max_disk_changed();
  workers_->change_specs([this](AppSpec& app) { return home_->give_ship(app); });
  shipping_->list_changed();
}

Result<void> Daemon::start_pipeline() {
  supervisor::HeldDescriptors held = supervisor::held_by(*link_);
  for (const std::string& line : held.troubles) notice("what the keeper holds: " + line);
  for (const std::string& name : held.strays) link_->drop(name);
  for (const supervisor::RunFds& run : held.runs) held_runs_.push_back(run.spec);
  Pipeline::Options pipeline;
  pipeline.home = options_.home;
  pipeline.floor = [this](const std::string& path) { return shipping_->floor(path); };
  settings_ = std::make_unique<SettingsStore>(options_.home + "/state/settings.json", files_,
                                              config::change_settings);
  home_ =
      std::make_unique<HomeSettings>(*settings_, [this](const std::string& line) { notice(line); });
  home_->read();
  pipeline.max_disk_bytes = [this] { return home_->max_disk_bytes(); };
  Pipeline::Events events;
  events.stream_ended = [this](StreamId stream) {
    loop_->post([this, stream] { workers_->stream_ended(stream); });
  };
  events.run_ended = [this](RunId run) {
    loop_->post([this, run] { workers_->streams_done(run); });
  };
  events.notice = [this](const std::string& line) { notice(line); };
  events.recorded = [this](const std::string& path, std::uint64_t bytes) {
    shipping_->recorded(path, bytes);
  };
  events.flushed = [this](const std::string& path, std::uint64_t below) {
    shipping_->flushed(path, below);
  };
  pipeline_ = PMX_TRY(Pipeline::start(pipeline, clock_, std::move(held.runs),
                                      std::move(held.intents), std::move(events)));
  return {};
}

Result<void> Daemon::start_echo(const RunFile& file) {
  Result<Fd> page = link_->get(kEchoName);
  if (!page) {
    page = PMX_TRY(supervisor::Echo::make_page());
    PMX_TRY(link_->put(kEchoName, page->get()));
  }
  echo_ = PMX_TRY(supervisor::Echo::start(options_.home + "/state",
                                          echo_sources(file.apps, options_.home + "/logs"),
                                          file.style, *page, clock_));
  return {};
}

Result<void> Daemon::start_supervisor() {
  supervisor::SupervisorOptions options{.home = options_.home, .autosave = home_->autosave()};
  if (const auto works = probe_bind_trap(); !works) options.no_traps = works.error().message();
  if (foreground()) {
    RunFile file = PMX_TRY(read_run_file(files_, options_.run_file, home_->codec()));
    shipping_->keep_secrets(file.ship_secrets);
    PMX_TRY(start_echo(file));  // Before the apps print their first lines.
    options.only_apps = std::move(file.apps);
  }
  workers_ = std::make_unique<supervisor::Supervisor>(
      std::move(options),
      supervisor::SupervisorParts{
          *link_, *pipeline_, files_, *timers_, *watches_, clock_, home_->codec(),
          [this](const std::string& line) { notice(line); },
          [this](const supervisor::WorkerRecord& record) { shipping_->before_launch(record); },
          [this] { shipping_->list_changed(); }});
  shipping_->serve(*workers_, *pipeline_);
  if (foreground()) {
    foreground_ = std::make_unique<Foreground>(Foreground::Parts{
        *workers_, *timers_,
        [](const std::string& line) { std::fprintf(stderr, "pmx: %s\n", line.c_str()); },
        [this](int exit_code) { finish(exit_code); }});
    workers_->on_run_ended(
        [this](const supervisor::WorkerRecord& record, RunId) { foreground_->run_ended(record); });
    workers_->on_tree_ended([this] { foreground_->look(); });
  }
  workers_->recover(held_runs_);
  shipping_->list_changed();
  if (foreground_) foreground_->look();
  return {};
}

Result<Fd> Daemon::listener() {
  const std::string path = options_.home + "/pmx.sock";
  struct stat st {};
  const bool there = ::stat(path.c_str(), &st) == 0 && S_ISSOCK(st.st_mode);
  // Held by the keeper, so that commands wait in its backlog while no daemon lives. Somebody may
  // have removed its name: then nobody can find it any more.
  auto held = link_->get(kListenerName);
  if (held && there) return std::move(*held);
  Fd fresh = PMX_TRY(sys::listen_unix(path, 0600));
  PMX_TRY(link_->put(kListenerName, fresh.get()));
  return fresh;
}

Result<void> Daemon::listen() {
  Fd socket = PMX_TRY(listener());
  server_ = PMX_TRY(Server::create(*loop_, std::move(socket),
                                   [this](const Request& request, const Server::Respond& respond) {
                                     routes_->handle(request, respond);
                                   }));
  return {};
}

void Daemon::listen_or_retry() {
  const auto listening = listen();
  if (listening) return;
  notice(listening.error().message() + "; the workers go on, trying again in 5 s");
  (void)loop_->call_after(kListenRetry, [this] { listen_or_retry(); });
}

Result<void> Daemon::start() {
  PMX_TRY(connect());
  prepare_home();
  const bool first = link_->children().empty();
  if (const auto pm2 = pm2_lives_in(options_.home); pm2 && first) return invalid(*pm2);
  PMX_TRY(start_shipping());
  PMX_TRY(start_pipeline());
  PMX_TRY(start_supervisor());
  operations_ = std::make_unique<Operations>(
      *workers_, *pipeline_, home_->codec(),
      [this](std::function<void()> call) { loop_->post(std::move(call)); });
  list_ = std::make_unique<ProcessList>(*workers_, *pipeline_, home_->codec(),
                                        supervisor::Monitor(clock_));
  routes_ = std::make_unique<Routes>(
      RouteParts{*operations_, *list_, *settings_, DumpFile(options_.home, files_),
                 [this] { return ping(); }, [this] { finish(0); },
                 [this](const config::SinkSecrets& secrets) { shipping_->keep_secrets(secrets); },
                 shipping_.get(), [this] { settings_changed(); },
                 [this](const auto& keeper, const auto& next) { return update(keeper, next); },
                 [this] { leave(clock_.steady_now() + kLeavePatience); }});
  // With workers to look after, a home where no socket can be made is waited for.
  if (first && !foreground()) {
    PMX_TRY(listen());
  } else {
    listen_or_retry();
  }
  notice("daemon " + std::to_string(::getpid()) + " (pmx " PMX_VERSION ", start " +
         std::to_string(link_->incarnation()) + ") of keeper " + std::to_string(keeper_pid_) +
         " is ready with " + std::to_string(workers_->workers().size()) + " process(es)");
  if (foreground()) return {};
  const auto told = notify_service("READY=1\nMAINPID=" + std::to_string(keeper_pid_));
  if (!told) notice(told.error().message());
  return {};
}

Json Daemon::ping() const {
  return Json::object({{"keeper_pid", link_->keeper_pid()},
                       {"daemon_pid", ::getpid()},
                       {"version", PMX_VERSION},
                       {"keeper_version", link_->keeper_version()},
                       {"keeper_protocol", supervisor::keeper_protocol()},
                       {"incarnation", link_->incarnation()},
                       {"home", options_.home},
                       {"trouble", workers_->trouble()}});
}

// ---- Ends.

void Daemon::signal_received(int signal) {
  if (signal == SIGUSR2) return pipeline_->reopen();
  if (signal != SIGTERM && signal != SIGINT && signal != SIGQUIT) return;
  ++end_signals_;
  notice("told to end by " + signal_name(signal));
  if (foreground_) return foreground_->told_to_end(signal);
  if (end_signals_ == 1) return shut_down();
  workers_->signal_all(SIGKILL);
}

void Daemon::shut_down() {
  operations_->stop_for_shutdown([this](Result<Outcome> outcome) {
    if (!outcome) notice(outcome.error().message());
    finish(0);
  });
}

void Daemon::finish(int exit_code) {
  if (finishing_) return;
  finishing_ = true;
  workers_->end_sweeps();
  const std::vector<RunId> runs = workers_->live_runs();
  drains_open_ = runs.size() + 1;
  const auto one_less = [this, exit_code] {
    if (--drains_open_ > 0) return;
    if (!foreground()) return end(exit_code);  // What waits goes with the next daemon.
    // A container's disk goes with it: what is not shipped now never is.
    shipping_->drain(kShipPatience, [this, exit_code] { end(exit_code); });
  };
  // The answers come on the log thread.
  for (const RunId run : runs)
    pipeline_->drained(run, kDrainPatience, [this, one_less] { loop_->post(one_less); });
  loop_->post(one_less);
}

void Daemon::end(int exit_code) {
  workers_->save_now();
  if (echo_) echo_->finish();
  notice("ends");
  (void)files_.remove(options_.home + "/pmx.pid");
  (void)files_.remove(options_.home + "/pmx.sock");
  link_->quit(exit_code);
  leave(clock_.steady_now() + kLeavePatience);
}

// What is under way goes on with the next daemon, as after a kill.
Result<void> Daemon::update(const std::string& keeper, const std::string& daemon) {
  if (finishing_) return Error(Errc::kExists, "the daemon ends already");
  PMX_TRY(link_->update(keeper, daemon));
  finishing_ = true;
  workers_->save_now();
  notice("makes room for " + daemon);
  return {};
}

// Hundreds of workers that end leave thousands of words to the keeper, more than its socket takes
// at once; the last of them is that it shall end too.
void Daemon::leave(EventLoop::TimePoint deadline) {
  if (link_->all_said() || clock_.steady_now() >= deadline) return loop_->stop();
  (void)loop_->call_after(std::chrono::milliseconds(5), [this, deadline] { leave(deadline); });
}

int Daemon::run() {
  const auto started = start();
  if (!started) {
    notice(started.error().message());
    std::fprintf(stderr, "pmx: %s\n", started.error().message().c_str());
    // With workers the next daemon shall try again; without, nobody is served by trying for ever.
    if (link_ && link_->children().empty()) link_->quit(1);
    return 1;
  }
  loop_->run();
  return 0;
}

}  // namespace

int run_daemon(const DaemonOptions& options) {
  limit_ourselves();
  return Daemon(options).run();
}

}  // namespace pmx::api
