#include "cli/systemd_unit.h"

#include <algorithm>

namespace pmx::cli {
namespace {

constexpr std::chrono::seconds kShortestStop{60};
constexpr std::chrono::seconds kStopMargin{15};
constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";

// In a unit % begins a specifier, and a value with spaces is one word only in quotes.
std::string unit_word(std::string_view word) {
  std::string out = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '%') out += '%';
    out += c;
  }
  return out + "\"";
}

std::string command_word(std::string_view word) {
  std::string out = unit_word(word);
  for (std::size_t at = 0; (at = out.find('$', at)) != std::string::npos; at += 2)
    out.insert(at, 1, '$');
  return out;
}

}  // namespace

std::string unit_text(const SystemdUnit& unit) {
  const std::string after = unit.wait_for_network ? "network-online.target" : "network.target";
  std::string text =
      "# Written by pmx startup; pmx unstartup removes it.\n"
      "[Unit]\n"
      "Description=pmx: runs programs and keeps every line they print\n"
      "Documentation=man:pmx(1)\n"
      "After=" +
      after + "\n";
  if (unit.wait_for_network) text += "Wants=" + after + "\n";
  text +=
      "\n[Service]\n"
      "# The command starts the keeper and ends; the daemon then names the keeper as the main\n"
      "# process and says that the apps are on their way.\n"
      "Type=notify\n"
      "NotifyAccess=all\n"
      "User=" +
      unit.user + "\nEnvironment=" + unit_word("PATH=" + unit.path) +
      "\nEnvironment=" + unit_word("PMX_HOME=" + unit.home) +
      "\nExecStart=" + command_word(unit.program) +
      " ping\n"
      "ExecReload=" +
      command_word(unit.program) +
      " reload all\n"
      "# SIGTERM to the keeper alone: it has the daemon end the apps in order, and the list of\n"
      "# apps stays. What is left after the timeout is killed.\n"
      "KillMode=mixed\n"
      "TimeoutStopSec=" +
      std::to_string(unit.stop_timeout.count()) +
      "\n"
      "# One app that runs out of memory must not end the others.\n"
      "OOMPolicy=continue\n"
      "# Apps may make cgroups of their own.\n"
      "Delegate=yes\n"
      "LimitNOFILE=1048576\n"
      "TasksMax=infinity\n"
      "Restart=on-failure\n"
      "\n[Install]\n"
      "WantedBy=multi-user.target\n";
  if (!unit.alias.empty()) text += "Alias=" + unit.alias + "\n";
  return text;
}

std::chrono::seconds stop_timeout_for(std::chrono::milliseconds longest_kill_timeout) {
  return std::max(kShortestStop,
                  std::chrono::ceil<std::chrono::seconds>(longest_kill_timeout) + kStopMargin);
}

std::string shell_word(std::string_view word) {
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(word);
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

}  // namespace pmx::cli
