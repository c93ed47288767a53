// KeeperLink as it is: see supervisor/keeper_link.h for what it promises.
//
// Whatever is said goes through one outbox, in order, and names what it sends (a descriptor by its
// name, a spawn by its run), so that it is light while it waits and can be said again to a new
// keeper.
//
// Signals to a group. A worker leads its session and group, so the group has the worker's pid as
// number. While the leader is not reaped (its pidfd still takes a signal) the number is its own.
// After that, members that are left keep the number from being given out again, and so it is still
// theirs until the run's exit is acknowledged, but for two cases: the group was found empty once,
// or a process with that pid exists (the number can be given out only when the group is empty).
// Then nobody is hit.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sys.h"
#include "keeper/protocol.h"
#include "supervisor/keeper_link.h"

namespace pmx::supervisor {

class KeeperConnection final : public KeeperLink {
 public:
  KeeperConnection(EventLoop& loop, Options options, Events events);
  ~KeeperConnection() override;
  KeeperConnection(const KeeperConnection&) = delete;
  KeeperConnection& operator=(const KeeperConnection&) = delete;
  Result<void> greet();  // Blocks until END.

  pid_t keeper_pid() const override { return keeper_pid_; }
  std::string keeper_version() const override { return keeper_version_; }
  unsigned long incarnation() const override { return incarnation_; }
  bool safe_start() const override { return safe_; }
  std::vector<std::string> names() const override;
  Result<Fd> get(std::string_view name) const override;
  Result<void> put(std::string_view name, int fd) override;
  void drop(std::string_view name) override;
  std::vector<Child> children() const override;
  Result<void> spawn(const SpawnRequest& request) override;
  void acknowledge_exit(RunId run) override;
  Result<void> signal(RunId run, int signal, bool group) override;
  Result<void> set_state(std::string_view blob) override;
  std::string state() const override;
  void quit(int exit_code) override;
  Result<void> update(const std::string& keeper, const std::string& daemon) override;
  bool all_said() const override { return outbox_.empty(); }

 private:
  // A spawn without an outcome: said again to a keeper that has not heard of it.
  struct Spawning {
    std::vector<Fd> fds;  // The order, then the worker's. None: its child has started.
    std::uint32_t which = 0;
  };
  struct Saying {
    keeper::Op op;
    std::string name;
    std::uint64_t run = 0;
    std::uint32_t value = 0;
  };
  struct HeldSignal {
    int number;
    bool group;
  };

  Result<void> use(Fd socket);
  void hang_up();
  void on_readable();
  Result<void> understand(sys::Message message);
  Result<void> on_hello(const keeper::Header& header, std::string_view version);
  void on_child(const keeper::Header& header, std::vector<Fd> fds);
  void report(const keeper::ChildRecord& record);
  void say(Saying saying);
  void flush();
  Result<void> send_now(const Saying& saying) const;
  void heartbeat();

  void keeper_gone();
  void start_another();
  void start_another_later(const std::string& why);
  void hand_over();

  static Child child_of(const keeper::ChildRecord& record);
  const keeper::ChildRecord* record_of(RunId run) const;
  Result<int> leader(const keeper::ChildRecord& record);
  Result<void> signal_group(const keeper::ChildRecord& record, int signal);
  bool table_full() const;
  void let_keeper_catch_up();
  std::size_t close_started();
  void forget_acknowledged();
  void tell(const std::string& line) const;

  EventLoop& loop_;
  const Options options_;
  const Events events_;
  Fd socket_, socket_out_;  // The same socket twice: the loop watches a descriptor for one thing.
  bool blocked_ = false;    // socket_out_ is watched.
  bool greeted_ = false;
  std::deque<Saying> outbox_;
  EventLoop::TimerId heartbeat_timer_ = 0, retry_timer_ = 0, flush_timer_ = 0;

  pid_t keeper_pid_ = 0;
  std::string keeper_version_;
  unsigned long incarnation_ = 0;
  bool safe_ = false, foreground_ = false, passes_sockets_ = false, quitting_ = false;
  bool slow_ = false;  // The keeper, with what it was last given time for.
  int attempts_ = 0;   // Keepers started since one has answered.

  std::map<std::string, Fd, std::less<>> held_;
  Fd first_state_;
  const keeper::ChildTable* table_ = nullptr;
  std::map<std::uint64_t, Spawning> spawning_;
  std::map<std::uint64_t, Child::State> reported_;
  std::map<std::uint64_t, std::vector<HeldSignal>> held_signals_;  // For children not yet running.
  std::set<std::uint64_t> acknowledged_;  // The keeper may not have freed their records yet.
  std::set<std::uint64_t> empty_groups_;
};

}  // namespace pmx::supervisor
