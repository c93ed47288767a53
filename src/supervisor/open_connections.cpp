#include "supervisor/open_connections.h"

#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <system_error>

#include "base/sys.h"

namespace pmx::supervisor {
namespace {

constexpr std::string_view kEstablished = "01";

// By the number of its inode: "socket:[4711]".
std::set<std::string> sockets_of(const std::string& process) {
  std::set<std::string> inodes;
  std::error_code failed;
  std::filesystem::directory_iterator at(process + "/fd", failed);
  for (; !failed && at != std::filesystem::directory_iterator(); at.increment(failed)) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(at->path(), gone).string();
    if (target.starts_with("socket:[")) inodes.insert(target.substr(8, target.size() - 9));
  }
  return inodes;
}

}  // namespace

std::size_t open_connections(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  const std::set<std::string> inodes = sockets_of(process);
  std::size_t count = 0;
  for (const char* const table : {"/net/tcp", "/net/tcp6"}) {
    std::istringstream lines(sys::read_file(process + table).value_or(""));
    std::string line;
    while (std::getline(lines, line)) {
      // sl, addresses, state, queues, timer, retransmissions, uid, timeout, inode.
      std::istringstream fields(line);
      std::string skipped, state, inode;
      fields >> skipped >> skipped >> skipped >> state;
      for (int i = 0; i < 5; ++i) fields >> skipped;
      fields >> inode;
      if (state == kEstablished && inodes.contains(inode)) ++count;
    }
  }
  return count;
}

}  // namespace pmx::supervisor
