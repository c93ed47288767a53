// Workers in cluster mode on the fakes of the supervisor: a run says what the test says over its
// channel, serves when it has asked for an address, and leaves when the test lets it.
#pragma once

#include <signal.h>

#include <algorithm>
#include <utility>

#include "supervisor/supervisor_fixture.h"

namespace pmx::test {

class ReloadFixture : public SupervisorFixture {
 protected:
  static constexpr int kExit0 = 0, kExit1 = 1 << 8;

  static AppSpec web(const std::string& name = "web") {
    AppSpec spec = app(name);
    spec.interpreter = "/usr/bin/node";
    spec.exec_mode = "cluster_mode";
    spec.min_uptime = 0ms;
    return spec;
  }
  static AppSpec changed(AppSpec spec = web()) {
    spec.env["VERSION"] = "2";
    return spec;
  }
  bool has_changed(WorkerId id) const { return record(id).spec.env.contains("VERSION"); }

  // ---- What runs do.
  void run_says(RunId run, const std::string& line) {
    ASSERT_TRUE(sys::send_bytes(link_.channel_of(run), line + "\n"));
    watches_.changed();
    settle();
  }
  // On one of the app's addresses: the index-th of its free ports.
  void listens(RunId run, int index = 0) {
    const std::string fields = R"("address":"127.0.0.1","addressType":4,"data":null,"index":)" +
                               std::to_string(index) + R"(,"port":0,"seq":)";
    const auto say = [&](const std::string& act, int seq) {
      run_says(run, R"({"cmd":"NODE_CLUSTER","act":")" + act + R"(",)" + fields +
                        std::to_string(seq) + "}");
    };
    say("queryServer", 2 * index + 1);
    say("listening", 2 * index + 2);
  }
  void run_exits(RunId run, int wait_status = kExit0) {
    link_.exit(run, wait_status, clock_.system_ns());
    settle();
  }
  void hangs_up(RunId run) {
    link_.hang_up(run);
    watches_.changed();
  }

  // ---- What is said and done to them.
  std::string told(RunId run) {  // Since it was last read.
    std::string all, part;
    // One read ends where a descriptor came along.
    while (!(part = all_of(link_.channel_of(run))).empty()) all += part;
    return all;
  }
  static bool has(const std::string& all, const std::string& part) {
    return all.find(part) != std::string::npos;
  }
  std::vector<int> signals_to(RunId run) const {
    std::vector<int> all;
    for (const auto& signal : link_.signals_)
      if (signal.run == run) all.push_back(signal.signal);
    return all;
  }

  // ---- Stories.
  WorkerId serving(AppSpec spec = web()) {
    const WorkerId id = online(std::move(spec));
    listens(record(id).run);
    EXPECT_EQ(status(id), "online");
    return id;
  }
  void reload(const std::vector<WorkerId>& ids, const AppSpec& spec = changed(),
              std::size_t parallel = 1) {
    answers_.clear();
    std::vector<std::pair<WorkerId, AppSpec>> workers;
    for (const WorkerId id : ids) workers.emplace_back(id, spec);
    supervisor_->reload(std::move(workers), parallel, note());
    settle();
  }
  // The run that shall take over, up to its exec.
  RunId successor_of(WorkerId id) {
    if (!record(id).successor) return RunId{};
    const RunId run = record(id).successor->run;
    const auto starting = link_.starting();
    if (std::find(starting.begin(), starting.end(), run) != starting.end()) link_.run(run);
    settle();
    return run;
  }
  // Its successor serves. Returns the run that was followed, which leaves.
  RunId follow(WorkerId id) {
    const RunId old = record(id).run, next = successor_of(id);
    EXPECT_NE(next.value, 0U);
    listens(next);
    EXPECT_EQ(record(id).run, next);
    return old;
  }
  RunId reload_and_follow(WorkerId id, const AppSpec& spec = changed()) {
    reload({id}, spec);
    return follow(id);
  }
  // It closes its servers, then its channel, and ends.
  void leaves(RunId run) {
    hangs_up(run);
    run_exits(run);
  }
};

}  // namespace pmx::test
