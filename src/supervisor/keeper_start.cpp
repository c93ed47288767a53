#include "supervisor/keeper_start.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/sys.h"
#include "base/units.h"
#include "keeper/protocol.h"

namespace pmx::supervisor {
namespace {

constexpr std::size_t kMaxLineBytes = 64U << 10U;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

struct Ended {
  int wait_status = 0;
  std::string out, err;
};

// A program that prints little, to its end or until it has let go of both of its outputs.
Result<Ended> run_to_end(const std::vector<std::string>& arguments) {
  const std::vector<char*> argv = pointers(arguments);
  const Fd null = PMX_TRY(sys::open("/dev/null", O_RDONLY));
  sys::Pipe out = PMX_TRY(sys::pipe());
  sys::Pipe err = PMX_TRY(sys::pipe());
  const pid_t child = ::fork();
  if (child < 0) return system_error(errno, "fork");
  if (child == 0) {
    if (::dup2(null.get(), 0) >= 0 && ::dup2(out.write_end.get(), 1) >= 0 &&
        ::dup2(err.write_end.get(), 2) >= 0)
      ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  out.write_end.reset();
  err.write_end.reset();
  Ended ended;
  ended.out = sys::read_all(out.read_end.get(), kMaxLineBytes).value_or("");
  ended.err = sys::read_all(err.read_end.get(), kMaxLineBytes).value_or("");
  ended.wait_status = wait_for(child);
  if (WIFEXITED(ended.wait_status) && WEXITSTATUS(ended.wait_status) == 127)
    return Error(Errc::kNotFound, "cannot execute " + arguments.front());
  return ended;
}

}  // namespace

std::vector<std::string> keeper_arguments(const StartKeeperOptions& options) {
  std::vector<std::string> out{"--home", options.home, "--daemon", options.daemon_executable};
  if (options.foreground) out.emplace_back("--foreground");
  if (options.daemon_options.empty()) return out;
  out.emplace_back("--");
  out.insert(out.end(), options.daemon_options.begin(), options.daemon_options.end());
  return out;
}

Result<pid_t> start_keeper(const StartKeeperOptions& options) {
  std::vector<std::string> arguments = keeper_arguments(options);
  arguments.insert(arguments.begin(), options.keeper_executable);
  // The keeper lets go of its outputs as it detaches; a pid or a line is all they ever carry.
  const Ended ended = PMX_TRY(run_to_end(arguments));
  const int status = ended.wait_status;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    const auto pid = parse_integer(first_line(ended.out));
    if (pid) return static_cast<pid_t>(*pid);
  }
  const bool taken = WIFEXITED(status) && WEXITSTATUS(status) == keeper::kExitHomeTaken;
  std::string line(first_line(ended.err));
  if (line.empty())
    line = options.keeper_executable + " ended with wait status " + std::to_string(status);
  return Error(taken ? Errc::kExists : Errc::kIo, std::move(line));
}

std::string keeper_version_line() { return keeper::version_line(); }
std::uint32_t keeper_protocol() { return keeper::kProtocolVersion; }

Result<std::string> keeper_version_line(const std::string& keeper_executable) {
  const Ended ended = PMX_TRY(run_to_end({keeper_executable, "--version"}));
  return std::string(first_line(ended.out));
}

Error exec_keeper(StartKeeperOptions options) {
  options.foreground = true;
  std::vector<std::string> arguments = keeper_arguments(options);
  arguments.insert(arguments.begin(), options.keeper_executable);
  const std::vector<char*> argv = pointers(arguments);
  ::execv(argv[0], argv.data());
  return system_error(errno, "execute", options.keeper_executable);
}

// Forked twice, so that the keeper is nobody's child and no zombie of it is left with us. The
// daemon has other threads: between fork and exec there are system calls only.
Result<Fd> start_adopting_keeper(const std::string& keeper_executable,
                                 const std::vector<std::string>& arguments, int lock_fd) {
  sys::SocketPair pair = PMX_TRY(sys::seqpacket_pair());
  const int adopt_fd = pair.second.get();
  std::vector<std::string> all{keeper_executable, "--adopt", std::to_string(adopt_fd), "--lock-fd",
                               std::to_string(lock_fd)};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const std::vector<char*> argv = pointers(all);
  const pid_t between = ::fork();
  if (between < 0) return system_error(errno, "fork", keeper_executable);
  if (between == 0) {
    (void)::setsid();
    const pid_t keeper = ::fork();
    if (keeper != 0) ::_exit(keeper < 0);
    if (::fcntl(adopt_fd, F_SETFD, 0) == 0 && ::fcntl(lock_fd, F_SETFD, 0) == 0)
      ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  if (wait_for(between) != 0) return system_error(EAGAIN, "fork", keeper_executable);
  return std::move(pair.first);
}

}  // namespace pmx::supervisor
