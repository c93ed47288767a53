#include "api/pm2_home.h"

#include "base/sys.h"
#include "base/units.h"

namespace pmx::api {
namespace {

bool is_pm2(std::int64_t pid) {
  const auto command = sys::read_file("/proc/" + std::to_string(pid) + "/cmdline", 65'536);
  // Its title is "PM2 v7.0.4: God Daemon (/root/.pm2)".
  return command && command->find("PM2") != std::string::npos &&
         command->find("God Daemon") != std::string::npos;
}

}  // namespace

std::optional<std::string> pm2_lives_in(const std::string& home) {
  std::string who;
  const auto pid_text = sys::read_file(home + "/pm2.pid", 64);
  if (pid_text) {
    std::string digits = *pid_text;
    digits.erase(digits.find_last_not_of(" \n") + 1);
    const auto pid = parse_integer(digits);
    if (pid && is_pm2(*pid)) who = "pid " + digits;
  }
  if (who.empty() && sys::connect_unix(home + "/rpc.sock")) who = "rpc.sock answers";
  if (who.empty()) return std::nullopt;
  return "a PM2 daemon lives in " + home + " (" + who +
         "): run `pm2 kill` with PM2 first, or give pmx another home by PMX_HOME";
}

}  // namespace pmx::api
