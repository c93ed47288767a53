// `pmx logs`: the last lines of the chosen workers, merged by time, and then what they print next.
//
// Reads the files and indexes under the home only: the daemon may be down, and a stopped or slow
// reader costs it nothing.
//
// Errors:  one line on `err_fd` and 1. Ctrl-C and a closed `out_fd` end with 0.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace pmx::cli {

inline constexpr std::size_t kDefaultTailLines = 15;

// As typed; run_logs() checks the values and says what is wrong with them.
struct LogsOptions {
  std::string home;            // Absolute.
  std::string target = "all";  // Name, id, namespace, /regex/, all, or pmx / PM2: our own log.
  std::optional<std::size_t>
      lines;              // Of each log. nullopt: 15, or all of them where `since` is given.
  bool follow = true;     // false: --nostream.
  bool out_only = false;  // --out
  bool err_only = false;  // --err; with --out both are shown.
  bool raw = false;
  bool json = false;
  bool format = false;                   // Pairs, as PM2's --format.
  bool pretty = false;                   // Then `lines` are events: a stack trace is one.
  std::optional<std::string> timestamp;  // dayjs pattern; "": PM2's own, YYYY-MM-DD-HH:mm:ss.
  std::string highlight;                 // "": none.
  std::string since, until;              // As base/time_text.h parse_time; "": no bound.
  std::string level;                     // "warn": this and worse; "": all.
  std::string grep;                      // RE2 pattern; "": all.
  // pmx attach: called when `input_fd` can be read while following; false ends it all.
  int input_fd = -1;
  std::function<bool()> on_input = {};
  bool no_color = false;  // --no-color. NO_COLOR in the environment does the same.
};

int run_logs(const LogsOptions& options, int out_fd, int err_fd);

}  // namespace pmx::cli
