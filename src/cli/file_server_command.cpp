#include "cli/file_server_command.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/path.h"
#include "base/sys.h"
#include "base/units.h"
#include "http/file_server.h"
#include "model/app_spec.h"

namespace pmx::cli {
namespace {

constexpr std::int64_t kHighestPort = 65'535;

// "" where nothing is said; PM2's dumps have JavaScript's words for that.
std::string value_of(const Environment& env, const std::string& name) {
  const auto found = env.find(name);
  if (found == env.end() || found->second == "undefined" || found->second == "null") return "";
  return found->second;
}

Result<bool> flag_of(const Environment& env, const std::string& name) {
  const std::string value = value_of(env, name);
  if (value.empty() || value == "false") return false;
  if (value == "true") return true;
  return invalid(name + ": true or false, not \"" + value + "\"");
}

Result<void> take_auth(const Environment& env, http::SiteOptions& site) {
  site.user = value_of(env, "PM2_SERVE_BASIC_AUTH_USERNAME");
  site.password = value_of(env, "PM2_SERVE_BASIC_AUTH_PASSWORD");
  const bool said = !value_of(env, "PM2_SERVE_BASIC_AUTH").empty();
  const bool wanted = PMX_TRY(flag_of(env, "PM2_SERVE_BASIC_AUTH"));
  if (said && !wanted) site.user = site.password = "";
  // Who forgets one of the three must not have his files open to everybody.
  if (site.user.empty() != site.password.empty() || (wanted && site.user.empty()))
    return invalid(
        "PM2_SERVE_BASIC_AUTH_USERNAME and PM2_SERVE_BASIC_AUTH_PASSWORD go together, and neither "
        "may be empty");
  if (site.user.find(':') != std::string::npos)
    return invalid("PM2_SERVE_BASIC_AUTH_USERNAME: no name with a colon (RFC 7617)");
  return {};
}

Result<void> write_ready(int channel) {
  PMX_TRY(sys::write_all(channel, "\"ready\"\n"));
  return sys::close(Fd(channel));
}

// wait_ready: over Node's channel, as process.send('ready'). Nothing else is said there, so it is
// closed: a stop comes as a signal then.
void say_ready(const Environment& env) {
  const auto channel = parse_integer(value_of(env, "NODE_CHANNEL_FD"));
  if (channel && *channel > STDERR_FILENO) (void)write_ready(static_cast<int>(*channel));
}

void print(int fd, std::string_view text) {
  (void)sys::write_all(fd, text);  // Whoever closes our output wants none of it.
}

void complain(std::string_view line) { print(STDERR_FILENO, "pmx serve: " + std::string(line)); }

// SIGINT and SIGTERM as a descriptor.
Result<Fd> ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  (void)::signal(SIGPIPE, SIG_IGN);  // sendfile(2) to a client that has gone.
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) < 0) return system_error(errno, "sigprocmask");
  Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return system_error(errno, "signalfd");
  return signals;
}

// The first signal has it finish, the second end.
void watch_signals(EventLoop& loop, http::FileServer& server, int signals) {
  const auto watched = loop.watch(signals, [&loop, &server, signals, told = false]() mutable {
    signalfd_siginfo info;
    (void)sys::read(signals, {reinterpret_cast<char*>(&info), sizeof info});
    if (std::exchange(told, true)) return loop.stop();
    server.finish([&loop] { loop.stop(); });
  });
  if (!watched) complain(watched.error().message() + "\n");
}

Result<void> serve(const FileServerOptions& options, const Environment& env) {
  std::error_code unreadable;
  if (!std::filesystem::is_directory(options.site.folder, unreadable))
    return invalid("PM2_SERVE_PATH: there is no folder " + options.site.folder);
  const Fd signals = PMX_TRY(ending_signals());
  sys::raise_fd_limit();
  const auto loop = PMX_TRY(EventLoop::create());
  const RealClock clock;
  Fd listener = PMX_TRY(http::listen_tcp(options.host, options.port, options.share));
  const std::string address = http::bound_to(listener.get());
  http::SiteLog log;
  using Answers = http::SiteLog::Answers;
  log.answers = options.access_log ? Answers::kAll : Answers::kFailures;
  log.access = [fd = options.access_log ? STDOUT_FILENO : STDERR_FILENO](std::string_view line) {
    print(fd, line);
  };
  log.trouble = &complain;
  const auto server = PMX_TRY(
      http::FileServer::create(*loop, clock, std::move(listener), options.site, std::move(log)));
  watch_signals(*loop, *server, signals.get());
  print(STDOUT_FILENO, "Exposing " + options.site.folder + " directory on " + address + "\n");
  say_ready(env);
  loop->run();
  loop->unwatch(signals.get());
  return {};
}

}  // namespace

Result<FileServerOptions> parse_file_server_options(const std::vector<std::string>& arguments,
                                                    const Environment& env,
                                                    const std::string& cwd) {
  FileServerOptions options;
  std::vector<std::string> words;
  for (const std::string& argument : arguments) {
    if (argument == kSharePortOption)
      options.share = http::SharePort::kYes;
    else
      words.push_back(argument);
  }
  const std::array<std::string, 3> variables{"PM2_SERVE_PATH", "PM2_SERVE_PORT", "PM2_SERVE_HOST"};
  if (words.size() > variables.size())
    return invalid("serve-files: a path, a port and a host, not \"" + words.back() + "\" as well");
  words.resize(variables.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    if (const std::string value = value_of(env, variables[i]); !value.empty()) words[i] = value;
  options.site.folder =
      absolute_path(cwd, words[0].empty() ? "." : words[0], value_of(env, "HOME"));
  if (!words[1].empty()) {
    const auto port = parse_integer(words[1]);
    if (!port || *port < 0 || *port > kHighestPort)
      return invalid("PM2_SERVE_PORT: a number from 0 to 65535, not \"" + words[1] + "\"");
    options.port = static_cast<std::uint16_t>(*port);
  }
  if (!words[2].empty()) options.host = words[2];
  if (const std::string page = value_of(env, "PM2_SERVE_HOMEPAGE"); !page.empty())
    options.site.homepage = page;
  options.site.single_page = PMX_TRY(flag_of(env, "PM2_SERVE_SPA"));
  options.site.listing = PMX_TRY(flag_of(env, "PM2_SERVE_FTP"));
  options.site.dotfiles = PMX_TRY(flag_of(env, "PM2_SERVE_DOTFILES"));
  options.access_log = PMX_TRY(flag_of(env, "PM2_SERVE_ACCESS_LOG"));
  PMX_TRY(take_auth(env, options.site));
  return options;
}

int run_file_server_command(const std::vector<std::string>& arguments) {
  std::error_code gone;
  const Environment env = current_environment();
  const std::string cwd = shell_directory(env, std::filesystem::current_path(gone).string());
  const auto options = parse_file_server_options(arguments, env, cwd);
  const Result<void> served = options ? serve(*options, env) : options.error();
  if (!served) complain(served.error().message() + "\n");
  return served ? 0 : 1;
}

}  // namespace pmx::cli
