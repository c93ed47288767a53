// What every command has at hand: the line that was typed, the console, the home and its daemon.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "cli/api_client.h"
#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/home.h"
#include "config/sink_config.h"

namespace pmx::cli {

inline constexpr std::string_view kForegroundCommand = "run";
inline constexpr std::string_view kServeCommand = "serve";
inline constexpr std::chrono::milliseconds kForegroundKillTimeout{8000};

struct Session {
  CommandLine line;     // `words` without the command itself.
  std::string command;  // Its first name in the table.
  Console console;
  Environment env;
  std::string cwd;
  std::string called_as;  // argv[0]
  std::string home;
  ApiClient client;
  RealClock clock;
  bool starts_in_foreground = false;      // `start --no-daemon`: apps are started again as ever.
  config::SinkSecrets ship_secrets = {};  // Of the sinks that this command has resolved.

  std::int64_t now_ms() const { return clock.system_ns() / 1'000'000; }
  Result<Json> list() { return client.get("/v1/list"); }
  Result<Json> short_list() { return client.get("/v1/list/short"); }  // Without settings.
};

// Prints the error of a command and answers its exit code.
int failed(Session& session, const Error& error);

// A word without which the command means nothing: commander's error.
int missing_argument(Session& session, std::string_view name);

// A daemon's answer has "messages": lines for people.
void print_messages(Session& session, const Json& answer);

// The table, as every command that changes something ends with. 0, or 1 where there is no list.
int print_list(Session& session);

}  // namespace pmx::cli
