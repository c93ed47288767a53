// The words that a user typed, sorted: command, targets, options, and what belongs to the app.
//
// PM2's rules: every option is accepted by every command, before or after it; everything after `--`
// is the app's. The only includer of CLI11.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pmx::cli {

struct OptionRow {
  std::string_view names;  // "-n,--name"
  std::string_view value;  // "<name>" needed, "[path]" optional, "<a...>" repeatable, "" a flag.
  std::string_view help;
  bool of_setting = false;  // `help` says what it does when it is on.
};

struct CommandLine {
  std::vector<std::string> words;     // The command and its targets.
  std::vector<std::string> app_args;  // After `--`.
  bool has_app_args = false;          // `--` was there, even with nothing after it.
  std::map<std::string, std::vector<std::string>, std::less<>> options;  // By first long name.

  bool has(std::string_view option) const { return options.contains(option); }
  // The last value given; "" for a flag, for an optional value left out, or where it was not given.
  std::string value(std::string_view option) const;
  std::vector<std::string> values(std::string_view option) const;
};

// "-c,--cron,--cron-restart" → "cron"
std::string_view long_name(std::string_view names);

// Errors: commander's words, as PM2 has them: "unknown option `--x'".
Result<CommandLine> parse_command_line(std::span<const OptionRow> rows,
                                       std::vector<std::string> arguments);

}  // namespace pmx::cli
