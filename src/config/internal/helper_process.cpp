#include "config/internal/helper_process.h"

#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/sys.h"
#include "config/internal/value_text.h"

extern char** environ;

namespace pmx::config {
namespace {

constexpr std::size_t kLargestAnswerBytes = 64U << 20U;

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void duplicate(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

// False: it was still running when its time was over, and has been killed.
Result<bool> wait_for(pid_t pid, std::chrono::milliseconds limit, int& wait_status) {
  Result<Fd> handle = sys::pidfd_open(pid);
  bool ended = false;
  if (handle) {
    pollfd wanted{handle->get(), POLLIN, 0};
    int ready = 0;
    while ((ready = ::poll(&wanted, 1, static_cast<int>(limit.count()))) < 0 && errno == EINTR) {
    }
    ended = ready > 0;
  }
  if (!ended) ::kill(pid, SIGKILL);
  while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  if (!handle) return std::move(handle).error();
  return ended;
}

}  // namespace

Result<HelperAnswer> run_helper(const HelperProcess& process) {
  const Fd in = PMX_TRY(sys::memfd_of("helper-input", process.input));
  const Fd out = PMX_TRY(sys::memfd_of("helper-answer", ""));
  FileActions actions;
  actions.duplicate(in.get(), STDIN_FILENO);
  actions.duplicate(STDERR_FILENO, STDOUT_FILENO);
  actions.duplicate(out.get(), process.answer_fd);  // Last: `in` may have this number.

  std::vector<char*> argv;
  for (const std::string& word : process.command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const char* const program = process.command[0].c_str();
  const int failed = ::posix_spawn(&pid, program, actions.get(), nullptr, argv.data(), environ);
  if (failed != 0) return system_error(failed, "posix_spawn", program);
  HelperAnswer answer;
  if (!PMX_TRY(wait_for(pid, process.limit, answer.wait_status)))
    return invalid("it was not done after " + duration_text(process.limit) + " and was stopped");
  ::lseek(out.get(), 0, SEEK_SET);
  answer.text = PMX_TRY(sys::read_all(out.get(), kLargestAnswerBytes));
  return answer;
}

}  // namespace pmx::config
