#include "supervisor/open_connections.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <system_error>

#include "base/sys.h"

namespace pmx::supervisor {
namespace {

constexpr std::string_view kEstablished = "01", kListening = "0A";

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

struct Socket {
  std::string port, state;  // Its own port, in hexadecimal, as all here.
};

template <class Each>
void for_each_socket(pid_t pid, Each each) {
  const std::string process = "/proc/" + std::to_string(pid);
  const std::set<std::string> inodes = sockets_of(process);
  for (const char* const table : {"/net/tcp", "/net/tcp6"}) {
    std::istringstream lines(sys::read_file(process + table).value_or(""));
    std::string line;
    while (std::getline(lines, line)) {
      // sl, addresses, state, queues, timer, retransmissions, uid, timeout, inode.
      std::istringstream fields(line);
      std::string skipped, local, state, inode;
      fields >> skipped >> local >> skipped >> state;
      for (int i = 0; i < 5; ++i) fields >> skipped;
      fields >> inode;
      if (inodes.contains(inode)) each(Socket{local.substr(local.find(':') + 1), state});
    }
  }
}

}  // namespace

std::size_t open_connections(pid_t pid) {
  std::size_t count = 0;
  for_each_socket(pid,
                  [&](const Socket& socket) { count += socket.state == kEstablished ? 1 : 0; });
  return count;
}

std::optional<std::size_t> served_connections(pid_t pid, std::span<const int> others) {
  if (::access(("/proc/" + std::to_string(pid) + "/fd").c_str(), R_OK) != 0) return std::nullopt;
  std::set<std::string> ports;
  for (const int port : others) {
    std::array<char, 8> text{};
    (void)std::snprintf(text.data(), text.size(), "%04X", static_cast<unsigned>(port) & 0xFFFFU);
    ports.insert(text.data());
  }
  std::map<std::string, std::size_t> counts;
  for_each_socket(pid, [&](const Socket& socket) {
    if (socket.state == kListening) ports.insert(socket.port);
    if (socket.state == kEstablished) ++counts[socket.port];
  });
  if (ports.empty()) return std::nullopt;
  std::size_t count = 0;
  for (const std::string& port : ports) count += counts[port];
  return count;
}

}  // namespace pmx::supervisor
