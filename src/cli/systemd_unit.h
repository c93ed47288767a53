// The unit with which systemd starts pmx at boot, as text (systemd.service(5), sd_notify(3)).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace pmx::cli {

struct SystemdUnit {
  std::string user;
  std::string home;     // pmx's.
  std::string program;  // Absolute path of pmx.
  std::string path;     // PATH of the shell: node's directory is in it.
  std::string alias;    // "pm2-root.service"; "" for none.
  std::chrono::seconds stop_timeout{60};
  bool wait_for_network = false;
};

std::string unit_text(const SystemdUnit& unit);

// Longer than the slowest app may take from SIGINT to SIGKILL.
std::chrono::seconds stop_timeout_for(std::chrono::milliseconds longest_kill_timeout);

// One word of a shell's command line, quoted where it must be.
std::string shell_word(std::string_view word);

}  // namespace pmx::cli
