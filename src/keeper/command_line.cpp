#include "keeper/command_line.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/sys.h"
#include "base/units.h"
#include "keeper/keeper.h"
#include "keeper/spawn.h"

namespace pmx::keeper {
namespace {

constexpr int kKeeperOomScore = -900;

constexpr const char* kHelp =
    "pmx-keeper: parent of a pmx daemon and its workers. Started by pmx; rarely by hand.\n"
    "\n"
    "usage: pmx-keeper --home DIRECTORY --daemon /path/to/pmx [options] [-- daemon options]\n"
    "\n"
    "  --home DIRECTORY  where state/, logs/ and pmx.log are; one keeper for each\n"
    "  --daemon PROGRAM  started as: PROGRAM daemon --home DIRECTORY ...\n"
    "  --foreground      stay, forward signals to the workers, end with the daemon's exit code;\n"
    "                    otherwise detach and print the keeper's pid\n"
    "  --lock-fd N       the lock of the home is this inherited descriptor\n"
    "  --adopt FD        take over a daemon that has lost its keeper, over this socket\n"
    "  --held FD         go on in the place of another version, with what it held\n"
    "  --version, --help\n";

Result<int> parse_fd(const std::string& option, const std::string& text) {
  const auto number = parse_integer(text);
  if (!number || *number < 3 || *number > 1 << 30)
    return invalid(option + " " + text + " is no descriptor");
  return static_cast<int>(*number);
}

Result<void> make_directory(const std::string& path) {
  struct stat info {};
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  const int why = errno;
  if (why == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return system_error(why, "mkdir", path);
}

// Whatever else we were started with would keep a caller's pipe open for ever.
void close_all_but(int one, int other) {
  unsigned first = 3;
  const auto close_until = [&first](unsigned next) {
    if (next > first) (void)::syscall(SYS_close_range, first, next - 1, 0);
    first = next + 1;
  };
  for (const int keep : {std::min(one, other), std::max(one, other)})
    if (keep >= 3 && static_cast<unsigned>(keep) >= first) close_until(static_cast<unsigned>(keep));
  (void)::syscall(SYS_close_range, first, ~0U, 0);
}

// 0, 1 and 2 must be somebody's, or the next descriptor that we open becomes one of them.
Result<void> fill_stdio() {
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    Fd null = PMX_TRY(sys::open("/dev/null", O_RDWR));
    PMX_TRY(sys::set_close_on_exec(null.get(), false));
    (void)null.release();  // The lowest free number, which is `fd`.
  }
  return {};
}

Result<Fd> take_lock(const CommandLine& line) {
  const std::string state = line.home + "/state";
  PMX_TRY(make_directory(line.home));
  PMX_TRY(make_directory(state));
  Fd lock;
  if (line.lock_fd >= 0) {
    lock = Fd(line.lock_fd);
    PMX_TRY(sys::set_close_on_exec(lock.get(), true));
  } else {
    lock = PMX_TRY(sys::open(state + "/lock", O_RDWR | O_CREAT, 0600));
  }
  // Descriptors that share one open file share the lock, so an inherited one is locked again at
  // once.
  const auto locked = sys::lock_exclusive(lock.get());
  if (!locked && locked.error().sys_errno() == EWOULDBLOCK)
    return Error(Errc::kExists, "another keeper has " + line.home);
  PMX_TRY(locked);
  return lock;
}

Result<void> redirect(const char* path, int flags, std::initializer_list<int> targets) {
  const Fd fd = PMX_TRY(sys::open(path, flags, 0600));
  for (const int target : targets)
    if (::dup2(fd.get(), target) < 0) return system_error(errno, "dup2", path);
  return {};
}

// The parent prints the keeper's pid and ends; only the child returns.
Result<void> detach(const std::string& home) {
  const pid_t pid = ::fork();
  if (pid < 0) return system_error(errno, "fork");
  if (pid > 0) {
    std::printf("%d\n", static_cast<int>(pid));
    std::fflush(stdout);
    ::_exit(0);
  }
  (void)::setsid();
  // A home whose log cannot be opened (a full disk) is no reason not to run.
  if (!redirect((home + "/pmx.log").c_str(), O_WRONLY | O_APPEND | O_CREAT, {2}))
    PMX_TRY(redirect("/dev/null", O_WRONLY, {2}));
  return redirect("/dev/null", O_RDWR, {0, 1});
}

// Notes what workers shall have and takes more for ourselves.
void raise_own_limits(KeeperOptions& options) {
  rlimit files{}, core{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) options.worker_fd_limit = files.rlim_cur;
  if (::getrlimit(RLIMIT_CORE, &core) == 0) options.worker_core_limit = core.rlim_cur;
  sys::raise_fd_limit();
  core.rlim_cur = 0;  // The hard limit stays, so that workers get theirs back.
  (void)::setrlimit(RLIMIT_CORE, &core);
  const auto score = sys::read_file("/proc/self/oom_score_adj", 64);
  auto number = score ? parse_integer(std::string_view(*score).substr(0, score->find('\n')))
                      : Result<std::int64_t>(std::int64_t{0});
  options.worker_oom_score = static_cast<int>(std::move(number).value_or(0));
  set_oom_score(kKeeperOomScore);
  (void)::prctl(PR_SET_CHILD_SUBREAPER, 1);
  (void)::prctl(PR_SET_DUMPABLE, 0);  // Last: it takes /proc/self/oom_score_adj away from us.
}

Result<int> run(const CommandLine& line) {
  const bool in_place = line.held_fd >= 0;  // Then what is open is ours, the lock included.
  if (!in_place) close_all_but(line.lock_fd, line.adopt_fd);
  PMX_TRY(fill_stdio());
  if (::access(line.daemon.c_str(), X_OK) < 0) return system_error(errno, "execute", line.daemon);
  KeeperOptions options;
  if (in_place) {
    options.held = Fd(line.held_fd);
  } else {
    options.lock = PMX_TRY(take_lock(line));
  }
  options.home = line.home;
  options.foreground = line.foreground;
  options.extra = line.extra;
  options.daemon_command = {line.daemon, "daemon",       "--home",
                            line.home,   "--keeper-exe", sys::self_exe()};
  if (line.adopt_fd >= 0) {
    options.adopt = Fd(line.adopt_fd);
    PMX_TRY(sys::set_close_on_exec(line.adopt_fd, true));
  }
  // A keeper that adopts was started by a daemon, and is detached as that is.
  if (!line.foreground && line.adopt_fd < 0 && !in_place) PMX_TRY(detach(line.home));
  raise_own_limits(options);
  const RealClock clock;
  const std::unique_ptr<Keeper> keeper = PMX_TRY(Keeper::create(std::move(options), clock));
  return keeper->run();
}

}  // namespace

Result<CommandLine> parse(const std::vector<std::string>& arguments) {
  CommandLine line;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& option = arguments[i];
    if (option == "--") {
      line.extra.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (option == "--help" || option == "--version" || option == "--foreground") {
      (option == "--help"      ? line.help
       : option == "--version" ? line.version
                               : line.foreground) = true;
      continue;
    }
    const bool known = option == "--home" || option == "--daemon" || option == "--lock-fd" ||
                       option == "--adopt" || option == "--held";
    if (!known) return invalid("unknown option " + option + "; see pmx-keeper --help");
    if (i + 1 == arguments.size()) return invalid(option + " needs a value; see pmx-keeper --help");
    const std::string& value = arguments[++i];
    if (option == "--home") line.home = value;
    if (option == "--daemon") line.daemon = value;
    if (option == "--lock-fd") line.lock_fd = PMX_TRY(parse_fd(option, value));
    if (option == "--adopt") line.adopt_fd = PMX_TRY(parse_fd(option, value));
    if (option == "--held") line.held_fd = PMX_TRY(parse_fd(option, value));
  }
  if (line.help || line.version) return line;
  if (!line.home.starts_with('/'))
    return invalid("--home needs an absolute path; see pmx-keeper --help");
  if (!line.daemon.starts_with('/'))
    return invalid("--daemon needs an absolute path; see pmx-keeper --help");
  return line;
}

int keeper_main(int argc, char** argv) {
  const Result<CommandLine> line = parse({argv + 1, argv + argc});
  if (line && line->help) return std::fputs(kHelp, stdout) < 0;
  if (line && line->version) return std::printf("%s\n", version_line().c_str()) < 0;
  const Result<int> exit_code = line ? run(*line) : Result<int>(line.error());
  if (exit_code) return *exit_code;
  std::fprintf(stderr, "pmx-keeper: %s\n", exit_code.error().message().c_str());
  return exit_code.error().code() == Errc::kExists ? kExitHomeTaken : 1;
}

}  // namespace pmx::keeper
