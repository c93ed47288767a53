// A real keeper for a test to talk to. The test program is its own pmx-keeper and its own daemon:
// executed again with their arguments, it becomes one of them before main(), so that nothing but
// the test needs to be built. The daemon hands its socket to the test and waits to be killed; the
// test then speaks for it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sys.h"
#include "keeper/command_line.h"
#include "keeper/protocol.h"
#include "support/temp_dir.h"

namespace pmx::test {

inline constexpr int kPatienceMs = 30'000;  // Only a broken build waits as long.

inline std::string relay_path(const std::string& home) { return home + "/relay.sock"; }

// The daemon of the tests: it gives its socket away.
[[noreturn]] inline void relay_daemon(const std::vector<std::string>& arguments) {
  std::string home;
  int socket = -1;
  for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == "--home") home = arguments[i + 1];
    if (arguments[i] == "--keeper-fd") socket = std::atoi(arguments[i + 1].c_str());
  }
  const auto relay = sys::connect_unix(relay_path(home));
  if (!relay) ::_exit(3);
  const std::string pid = std::to_string(::getpid());
  if (!sys::send_message(relay->get(), pid, std::span<const int>(&socket, 1))) ::_exit(4);
  ::close(socket);
  char nothing;
  (void)sys::read(relay->get(), {&nothing, 1});  // Until we are killed, or the test has ended.
  ::_exit(0);
}

// glibc hands argc and argv to constructors.
__attribute__((constructor)) static void become_keeper_or_daemon(int argc, char** argv) {
  bool keeper = false, daemon = argc > 1 && std::string_view(argv[1]) == "daemon";
  for (int i = 1; i < argc && !daemon; ++i)
    keeper |= std::string_view(argv[i]) == "--home" || std::string_view(argv[i]) == "--adopt";
  if (daemon) relay_daemon({argv + 1, argv + argc});
  if (keeper) ::_exit(keeper::keeper_main(argc, argv));
}

inline bool wait_readable(int fd) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, kPatienceMs) == 1;
}

// For what nobody reports: a look every millisecond.
inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < kPatienceMs; ++i) {
    if (condition()) return true;
    (void)::poll(nullptr, 0, 1);
  }
  return false;
}

inline std::string read_to_end(const Fd& fd) {
  return sys::read_all(fd.get(), 1U << 20U).value_or("");
}

// A daemon's place, taken by the test.
struct RelayedDaemon {
  pid_t pid = 0;
  Fd socket;
};

class KeeperProcess {
 public:
  explicit KeeperProcess(std::vector<std::string> options = {"--foreground"})
      : options_(std::move(options)) {
    // We are process 1 to those whose keeper has died.
    (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);
    listen();
  }
  ~KeeperProcess() {
    stop_daemons();
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    for (const auto& [pid, relay] : relays_) ::kill(pid, SIGKILL);
    if (table_)
      for (const auto& child : table_->children)
        if (child.run != 0 && child.pid > 0 && child.state == keeper::ChildState::kRunning)
          ::kill(child.pid, SIGKILL);
    reap_all();
  }
  KeeperProcess(const KeeperProcess&) = delete;
  KeeperProcess& operator=(const KeeperProcess&) = delete;

  const std::string& home() const { return home_.path(); }
  pid_t pid() const { return pid_; }
  void set_pid(pid_t pid) { pid_ = pid; }

  // `before_exec` runs in the child.
  void start(
      const std::function<void()>& before_exec = [] {}, int stderr_fd = -1) {
    std::vector<std::string> arguments{sys::self_exe(), "--home", home(), "--daemon",
                                       sys::self_exe()};
    arguments.insert(arguments.end(), options_.begin(), options_.end());
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ > 0) return;
    if (stderr_fd >= 0) ::dup2(stderr_fd, 2);
    before_exec();
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }

  RelayedDaemon accept() {
    RelayedDaemon daemon;
    if (!wait_readable(listener_.get())) return daemon;
    Fd relay(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!wait_readable(relay.get())) return daemon;
    auto message = sys::receive_message(relay.get(), 64);
    if (!message || !*message || (*message)->fds.size() != 1) return daemon;
    daemon.pid = std::atoi((*message)->bytes.c_str());
    daemon.socket = std::move((*message)->fds[0]);
    relays_.push_back({daemon.pid, std::move(relay)});
    return daemon;
  }

  // Daemons started from now on end at once with exit code 3, until listen().
  void stop_daemons() {
    listener_.reset();
    ::unlink(relay_path(home()).c_str());
  }
  void listen() { listener_ = std::move(*sys::listen_unix(relay_path(home()), 0600)); }

  int wait() {
    int status = -1;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return status;
  }
  void kill_and_wait() {
    ::kill(pid_, SIGKILL);
    (void)wait();
  }
  // Workers found running in it end with the test.
  void clean_up_by(const keeper::ChildTable* table) { table_ = table; }

 private:
  static void reap_all() {
    // Everybody was told to end; who is left is not ours to wait for.
    for (int i = 0; i < 2000; ++i) {
      const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
      if (pid < 0) return;
      if (pid == 0) (void)::poll(nullptr, 0, 1);
    }
  }

  TempDir home_;
  std::vector<std::string> options_;
  Fd listener_;
  pid_t pid_ = 0;
  std::vector<std::pair<pid_t, Fd>> relays_;
  const keeper::ChildTable* table_ = nullptr;
};

// `sh -c script`.
inline std::vector<std::string> shell(std::string script) {
  return {"/bin/sh", "-c", std::move(script)};
}

}  // namespace pmx::test
