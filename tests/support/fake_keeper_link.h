// A keeper in memory: it holds real descriptors, starts no process, and does what the test says.
//
// Faults it can inject: put and spawn that fail with an errno; exec that fails; set_state that
// fails; exits before anything was acknowledged; children, descriptors and STATE of a daemon
// before. Never: a lost or reordered event.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/keeper_link.h"

namespace pmx::test {

class FakeKeeperLink final : public supervisor::KeeperLink {
 public:
  using Child = supervisor::Child;
  struct Signal {
    RunId run;
    int signal;
    bool group;
    bool operator==(const Signal&) const = default;
  };

  pid_t keeper_pid() const override { return 4242; }
  unsigned long incarnation() const override { return incarnation_; }
  bool safe_start() const override { return safe_; }
  std::vector<std::string> names() const override;
  Result<Fd> get(std::string_view name) const override;
  Result<void> put(std::string_view name, int fd) override;
  void drop(std::string_view name) override;
  std::vector<Child> children() const override;
  Result<void> spawn(const supervisor::SpawnRequest& request) override;
  void acknowledge_exit(RunId run) override;
  Result<void> signal(RunId run, int signal, bool group) override;
  Result<void> set_state(std::string_view blob) override;
  std::string state() const override { return state_at_connect_; }
  void quit(int exit_code) override { quit_code_ = exit_code; }
  std::string keeper_version() const override { return "fake"; }
  Result<void> update(const std::string&, const std::string&) override { return {}; }

  // What happens to children; each tells the listener, as the keeper would.
  void listen(std::function<void(const Child&)> listener) { listener_ = std::move(listener); }
  void run(RunId run);
  void exec_fails(RunId run, int sys_errno, const std::string& step = "exec");
  void exit(RunId run, int wait_status, std::int64_t ended_ns);
  // A new daemon connects: what it finds is what is held now.
  void reconnect() {
    state_at_connect_ = state_;
    ++incarnation_;
  }
  void set_pid(RunId run, pid_t pid) { children_.at(run).pid = pid; }
  void forget_everything();  // The keeper was killed too.
  void add_child(const Child& child) { children_[child.run] = child; }

  // What a worker has of its own, where its request had it.
  int channel_of(RunId run) const { return ends_.at(run).channel.get(); }
  int stdin_of(RunId run) const { return ends_.at(run).input.get(); }
  void hang_up(RunId run) { ends_.at(run).channel.reset(); }  // It closes its channel.

  std::vector<supervisor::SpawnRequest> spawns_;
  std::vector<Signal> signals_;
  std::vector<RunId> acknowledged_;
  std::string state_, state_at_connect_;
  std::optional<int> quit_code_;
  int put_errno_ = 0, spawn_errno_ = 0, state_errno_ = 0;
  bool safe_ = false;
  unsigned long incarnation_ = 0;
  std::vector<RunId> starting() const;

 private:
  std::map<std::string, Fd, std::less<>> held_;
  struct WorkerEnds {
    Fd channel, input;
  };
  std::map<RunId, Child> children_;
  std::map<RunId, WorkerEnds> ends_;
  std::function<void(const Child&)> listener_;
  pid_t next_pid_ = 5'000'000;  // Above the kernel's PID_MAX_LIMIT: nobody is hit by mistake.
};

}  // namespace pmx::test
