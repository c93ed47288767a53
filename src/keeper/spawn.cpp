#include "keeper/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/bind_trap.h"
#include "base/sys.h"

namespace pmx::keeper {
namespace {

constexpr int kDaemonOomScore = -500;
constexpr int kFirstSocket = 3;  // SD_LISTEN_FDS_START.
constexpr int kAside = 32;
static_assert(kFirstSocket + kMaxSockets < kAside);
constexpr std::string_view kListenPid = "LISTEN_PID=";
constexpr std::size_t kPidDigits = 10;

// A SPAWN's memfd, mapped: the strings of argv and environment are used where they lie.
struct Order {
  const OrderHeader* header = nullptr;
  const gid_t* groups = nullptr;
  const char* program = nullptr;
  const char* cwd = nullptr;
  std::vector<char*> arguments, variables;
  std::size_t mapped_bytes = 0;

  Order() = default;
  Order(const Order&) = delete;
  Order& operator=(const Order&) = delete;
  ~Order() {
    if (header) ::munmap(const_cast<OrderHeader*>(header), mapped_bytes);
  }
  bool read(int fd);
};

// Takes strings off the front; nullptr where the next is not whole.
struct Strings {
  char* at;
  char* end;
  char* next() {
    std::uint32_t length;
    if (static_cast<std::size_t>(end - at) < sizeof length) return nullptr;
    std::memcpy(&length, at, sizeof length);
    char* const text = at + sizeof length;
    if (static_cast<std::size_t>(end - text) <= length || text[length] != '\0') return nullptr;
    at = text + length + 1;
    return text;
  }
  bool next(std::vector<char*>& into, std::uint32_t count) {
    while (count-- > 0) {
      into.push_back(next());
      if (!into.back()) return false;
    }
    into.push_back(nullptr);
    return true;
  }
};

bool Order::read(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) < 0 || (::fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0) return false;
  mapped_bytes = static_cast<std::size_t>(info.st_size);
  if (mapped_bytes < sizeof(OrderHeader) || mapped_bytes > kMaxOrderBytes) return false;
  void* const memory = ::mmap(nullptr, mapped_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) return false;
  header = static_cast<const OrderHeader*>(memory);
  groups = reinterpret_cast<const gid_t*>(header + 1);
  const std::size_t group_bytes = header->groups * sizeof(gid_t);
  if (header->version != kProtocolVersion || group_bytes > mapped_bytes - sizeof(OrderHeader))
    return false;
  char* const start = static_cast<char*>(memory);
  Strings strings{start + sizeof(OrderHeader) + group_bytes, start + mapped_bytes};
  program = strings.next();
  cwd = program ? strings.next() : nullptr;
  return cwd && strings.next(arguments, header->arguments) &&
         strings.next(variables, header->variables);
}

// From here to the end of become_*: in the child, system calls only.

// Ends before `end`; its first digit.
char* write_number(unsigned number, char* end) {
  do {
    *--end = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return end;
}

void reset_signals() {
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) (void)::sigaction(number, &usual, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool limit_to(int resource, std::uint64_t soft) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) < 0) return false;
  limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &limit) == 0;
}

// dup2 of a descriptor onto itself would leave close-on-exec on.
bool place(int fd, int target) {
  return fd == target ? ::fcntl(fd, F_SETFD, 0) == 0 : ::dup2(fd, target) == target;
}

struct Worker {
  Order* order;
  int stdio[3];
  int channel;  // -1: none.
  int trap;     // Where the trap of its binds goes; -1: it has none.
  int sockets[kMaxSockets];
  std::size_t socket_count;
  char listen_pid[kListenPid.size() + kPidDigits + 1];  // Takes the last variable's place.
  const TableHeader* limits;
  std::atomic<std::int32_t>* pid;
  pid_t keeper;
};

// Past every number that a descriptor of the worker's gets, so that none takes another's place.
bool set_aside(int& fd) {
  if (fd < 0) return true;
  fd = ::fcntl(fd, F_DUPFD_CLOEXEC, kAside);
  return fd >= 0;
}

bool set_aside(Worker& worker) {
  for (std::size_t i = 0; i < worker.socket_count; ++i)
    if (!set_aside(worker.sockets[i])) return false;
  return set_aside(worker.channel) && set_aside(worker.trap);
}

bool place_sockets(Worker& worker) {
  if (worker.socket_count == 0) return true;
  for (std::size_t i = 0; i < worker.socket_count; ++i)
    if (!place(worker.sockets[i], kFirstSocket + static_cast<int>(i))) return false;
  char digits[kPidDigits];
  char* const end = digits + sizeof digits;
  const char* const begin = write_number(static_cast<unsigned>(::getpid()), end);
  char* const value = worker.listen_pid + kListenPid.size();
  std::memcpy(worker.listen_pid, kListenPid.data(), kListenPid.size());
  std::memcpy(value, begin, static_cast<std::size_t>(end - begin));
  value[end - begin] = '\0';
  std::vector<char*>& variables = worker.order->variables;
  variables[variables.size() - 2] = worker.listen_pid;
  return true;
}

bool set_trap(const Worker& worker) {
  // Yama lets only ancestors look into a process (ptrace(2)), and those that it names, with their
  // descendants: the daemons.
  (void)::prctl(PR_SET_PTRACER, worker.keeper, 0, 0, 0);
  return trap_binds_for(worker.trap);
}

// The step that failed, with errno.
Step become(Worker& worker) {
  if (::setsid() < 0) return Step::kSession;
  for (int i = 0; i < 3; ++i)
    if (!place(worker.stdio[i], i)) return Step::kStdio;
  if (!place_sockets(worker)) return Step::kSockets;
  const int behind = kFirstSocket + static_cast<int>(worker.socket_count);
  if (worker.channel >= 0 && !place(worker.channel, behind)) return Step::kChannel;
  if (!limit_to(RLIMIT_NOFILE, worker.limits->worker_fd_limit) ||
      !limit_to(RLIMIT_CORE, worker.limits->worker_core_limit))
    return Step::kLimits;
  set_oom_score(worker.limits->worker_oom_score);
  const Order& order = *worker.order;
  if (*order.cwd && ::chdir(order.cwd) < 0) return Step::kChdir;
  if (order.header->has_uid && ::geteuid() == 0 &&
      ::setgroups(order.header->groups, order.groups) < 0)
    return Step::kSetgroups;
  if (order.header->has_gid && ::setgid(order.header->gid) < 0) return Step::kSetgid;
  if (order.header->has_uid && ::setuid(order.header->uid) < 0) return Step::kSetuid;
  reset_signals();
  (void)::prctl(PR_SET_PDEATHSIG, 0);
  if (worker.trap >= 0 && !set_trap(worker)) return Step::kTrap;
  ::execve(order.program, order.arguments.data(), order.variables.data());
  return Step::kExec;
}

[[noreturn]] void run_worker(Worker worker, int report_fd) {
  worker.pid->store(::getpid());
  // Until exec our life hangs on the keeper's: whoever it does not know of must not go on.
  // Afterwards a worker outlives its keeper.
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != worker.keeper) ::_exit(127);
  int report_at = report_fd;
  const bool reports = set_aside(report_at);
  SpawnReport report{Step::kPipe, errno};
  if (reports && set_aside(worker)) report.step = become(worker);
  report.sys_errno = errno;
  (void)!::write(reports ? report_at : report_fd, &report, sizeof report);
  ::_exit(127);
}

}  // namespace

void set_oom_score(int score) {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);  // lint: in a child.
  if (fd < 0) return;
  char text[16];
  char* const end = text + sizeof text;
  char* begin = write_number(static_cast<unsigned>(score < 0 ? -score : score), end);
  if (score < 0) *--begin = '-';
  (void)!::write(fd, begin, static_cast<std::size_t>(end - begin));
  ::close(fd);  // lint: in a child.
}

Spawned spawn_worker(const std::vector<Fd>& fds, std::uint32_t which, int dev_null,
                     const TableHeader& limits, std::atomic<std::int32_t>& pid) {
  const auto failed = [](Step step, int sys_errno) {
    Spawned none;
    none.failure = {step, sys_errno};
    return none;
  };
  Order order;
  if (fds.empty() || !order.read(fds[0].get())) return failed(Step::kOrder, EBADMSG);
  std::size_t next = 1;
  const auto take = [&](std::uint32_t bit, int other) {
    if (!(which & bit)) return other;
    return next < fds.size() ? fds[next++].get() : -1;
  };
  Worker worker{&order, {}, -1, -1, {}, 0, {}, &limits, &pid, ::getpid()};
  worker.stdio[0] = take(kHasStdin, dev_null);
  worker.stdio[1] = take(kHasStdout, dev_null);
  worker.stdio[2] = take(kHasStderr, dev_null);
  worker.channel = take(kHasChannel, -1);
  worker.trap = take(kHasTrap, -1);
  if (which & kHasSockets) {
    if (next >= fds.size() || fds.size() - next > kMaxSockets)
      return failed(Step::kSockets, EBADMSG);
    while (next < fds.size()) worker.sockets[worker.socket_count++] = fds[next++].get();
    order.variables.insert(order.variables.end() - 1, nullptr);  // LISTEN_PID, by the child.
  }

  auto report = sys::pipe();
  if (!report) return failed(Step::kPipe, report.error().sys_errno());
  (void)sys::set_nonblocking(report->read_end.get(), true);  // A fresh pipe cannot refuse.
  Spawned child;
  child.pid = ::fork();
  if (child.pid < 0) return failed(Step::kFork, errno);
  if (child.pid == 0) run_worker(worker, report->write_end.get());
  pid.store(child.pid);
  auto pidfd = sys::pidfd_open(child.pid);
  if (!pidfd) {
    // Nobody could signal it without the danger of hitting another: it does not start.
    (void)::kill(child.pid, SIGKILL);
    return failed(Step::kPidfd, pidfd.error().sys_errno());
  }
  child.pidfd = std::move(*pidfd);
  child.report = std::move(report->read_end);
  return child;
}

Result<pid_t> spawn_daemon(const std::vector<std::string>& arguments, int inherited) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return system_error(errno, "fork", arguments[0]);
  if (pid > 0) return pid;
  (void)::setsid();
  set_oom_score(kDaemonOomScore);
  reset_signals();
  (void)::fcntl(inherited, F_SETFD, 0);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace pmx::keeper
