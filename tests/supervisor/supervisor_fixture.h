// A supervisor on fakes: a keeper and a pipeline in memory, a clock that the test moves, a real
// temporary home. Reads as a story: started(), exits(), settle().
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sys.h"
#include "supervisor/supervisor.h"
#include "support/fake_clock.h"
#include "support/fake_keeper_link.h"
#include "support/fake_pipeline.h"
#include "support/fake_watches.h"

namespace pmx::test {

using namespace std::chrono_literals;

inline Json variables_to_json(const std::map<std::string, std::string>& variables) {
  Json json = Json::object();
  for (const auto& [name, value] : variables) json.set(name, value);
  return json;
}

// A few keys are enough to tell apps apart; config's table has its own tests.
inline supervisor::AppCodec small_codec() {
  return {[](const AppSpec& app) {
            return Json::object({{"name", app.name},
                                 {"script", app.script},
                                 {"cwd", app.cwd},
                                 {"instances", app.instances},
                                 {"exec_mode", app.exec_mode},
                                 {"interpreter", app.interpreter},
                                 {"min_uptime", app.min_uptime.count()},
                                 {"autorestart", app.autorestart},
                                 {"autostart", app.autostart},
                                 {"restart_delay", app.restart_delay.count()},
                                 {"cron_restart", app.cron_restart},
                                 {"max_memory_restart", app.max_memory_restart},
                                 {"wait_ready", app.wait_ready},
                                 {"shutdown_with_message", app.shutdown_with_message},
                                 {"health", app.health.path},
                                 {"pinned", variables_to_json(app.pinned)},
                                 {"listen", Json::Array(app.listen.begin(), app.listen.end())},
                                 {"own_env", Json::Array(app.own_env.begin(), app.own_env.end())},
                                 {"env", variables_to_json(app.env)}});
          },
          [](const Json& json) -> Result<AppSpec> {
            if (json["name"].as_string() == "unreadable") return invalid("name: unreadable");
            AppSpec app;
            app.name = json["name"].as_string();
            app.script = json["script"].as_string();
            app.cwd = json["cwd"].as_string_or("/");
            app.instances = json["instances"].as_int(1);
            app.instances_given = json.find("instances") != nullptr;
            app.exec_mode = json["exec_mode"].as_string_or("fork_mode");
            app.interpreter = json["interpreter"].as_string();
            app.min_uptime = std::chrono::milliseconds(json["min_uptime"].as_int(1000));
            app.autorestart = json["autorestart"].as_bool(true);
            app.autostart = json["autostart"].as_bool(true);
            app.wait_ready = json["wait_ready"].as_bool();
            app.cron_restart = json["cron_restart"].as_string();
            app.max_memory_restart =
                static_cast<std::uint64_t>(json["max_memory_restart"].as_int());
            app.health.path = json["health"].as_string();
            for (const auto& [path, led] : json["pinned"].members())
              app.pinned[path] = led.as_string();
            app.shutdown_with_message = json["shutdown_with_message"].as_bool();
            app.restart_delay = std::chrono::milliseconds(json["restart_delay"].as_int());
            for (const auto& [name, value] : json["env"].members())
              app.env[name] = value.as_string();
            for (const Json& address : json["listen"].items())
              app.listen.push_back(address.as_string());
            for (const Json& name : json["own_env"].items()) app.own_env.insert(name.as_string());
            return app;
          }};
}

class SupervisorFixture : public ::testing::Test {
 protected:
  SupervisorFixture() {
    char path[] = "/tmp/pmx-supervisor-XXXXXX";
    home_ = ::mkdtemp(path);
    for (const char* const part : {"/logs", "/pids", "/state"})
      std::filesystem::create_directory(home_ + part);
    link_.listen([this](const supervisor::Child& child) {
      if (supervisor_) supervisor_->child_changed(child);
    });
    begin();
  }
  ~SupervisorFixture() override {
    supervisor_.reset();
    std::filesystem::remove_all(home_);
  }

  void begin(const std::vector<RunSpec>& runs = {}, std::vector<AppSpec> only = {}) {
    supervisor_.reset();  // A daemon's death: nothing that it had not yet saved is saved now.
    pipeline_ = FakePipeline();
    supervisor::SupervisorOptions options;
    options.home = home_;
    options.only_apps = std::move(only);
    options.autosave = autosave_;
    options.no_traps = no_traps_;
    supervisor::SupervisorParts parts{
        link_,         pipeline_,
        files_,        clock_,
        watches_,      clock_,
        small_codec(), [this](const std::string& line) { notices_.push_back(line); }};
    // The fake keeper's pids are those of real processes.
    parts.processes = [] { return std::vector<supervisor::ProcessEntry>(); };
    parts.process = [this](pid_t pid) -> std::optional<supervisor::ProcessReading> {
      const auto found = rss_bytes_.find(pid);
      if (found == rss_bytes_.end()) return std::nullopt;
      supervisor::ProcessReading reading;
      reading.rss_bytes = found->second;
      return reading;
    };
    supervisor_ = std::make_unique<supervisor::Supervisor>(std::move(options), std::move(parts));
    supervisor_->recover(runs);
  }
  // The next daemon, on what the keeper holds.
  void next_daemon() {
    link_.reconnect();
    std::vector<RunSpec> runs;
    for (const supervisor::RunFds& run : supervisor::held_by(link_).runs) runs.push_back(run.spec);
    begin(runs);
  }

  static AppSpec app(const std::string& name = "web") {
    AppSpec spec;
    spec.name = name;
    spec.script = "/bin/true";
    spec.cwd = "/";
    return spec;
  }
  WorkerId added(AppSpec spec = app()) {
    auto id = supervisor_->add(std::move(spec));
    EXPECT_TRUE(id);
    return *id;
  }
  supervisor::Supervisor::Done note() {
    return [this](Result<void> result) {
      answers_.push_back(result ? "ok" : result.error().message());
    };
  }
  WorkerId online(AppSpec spec = app()) {
    const WorkerId id = added(std::move(spec));
    supervisor_->start(id, std::nullopt, note());
    link_.run(record(id).run);
    settle();
    return id;
  }
  void exits(WorkerId id, int wait_status) {
    link_.exit(record(id).run, wait_status, clock_.system_ns());
  }
  // Over its channel, and the loop has told of it.
  void says(WorkerId id, const std::string& line) {
    ASSERT_TRUE(sys::send_bytes(link_.channel_of(record(id).run), line + "\n"));
    watches_.changed();
  }
  static std::string all_of(int fd) {
    std::string bytes(65536, '\0');
    const auto n = sys::receive(fd, bytes);
    bytes.resize(n ? *n : 0);
    return bytes;
  }
  void settle() { clock_.advance(100ms); }
  const supervisor::WorkerRecord& record(WorkerId id) const {
    return supervisor_->find(id)->record();
  }
  std::string status(WorkerId id) const { return std::string(name_of(record(id).state)); }
  bool noticed(const std::string& part) const {
    for (const std::string& line : notices_)
      if (line.find(part) != std::string::npos) return true;
    return false;
  }

  std::string home_;
  FakeClock clock_;
  FakeKeeperLink link_;
  FakeWatches watches_;
  FakePipeline pipeline_;
  RealFs files_;
  std::vector<std::string> notices_, answers_;
  std::map<pid_t, std::uint64_t> rss_bytes_;
  bool autosave_ = true;
  std::string no_traps_;
  std::unique_ptr<supervisor::Supervisor> supervisor_;
};

}  // namespace pmx::test
