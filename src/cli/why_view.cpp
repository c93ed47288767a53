#include "cli/why_view.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/time_text.h"
#include "base/units.h"
#include "cli/list_view.h"

namespace pmx::cli {
namespace {

constexpr std::int64_t kFirstSecondMs = 1000;
constexpr std::int64_t kManyInAMinute = 3;  // Also of those that are over it.

struct Story {
  std::string name, status, trouble, cause, signal;
  std::vector<std::string> log_troubles;
  bool ended = false, autorestart = true, loops = false;
  std::int64_t code = -1;  // -1: by a signal, or not known.
  std::int64_t at_ms = 0, ran_ms = 0, max_rss = 0;
  std::int64_t restarts = 0, last_minute = 0, open_runs = 0, started_ms = 0;
  std::int64_t kill_timeout = 0, min_uptime = 0, delay = 0, memory_limit = 0;
  std::vector<std::int64_t> limit_runs_ms;  // How long the last runs took to reach it.

  bool is(std::string_view word) const { return cause == word; }
  bool running() const { return status == "online" || status == "launching"; }
  bool failed_early() const { return ended && ran_ms < kFirstSecondMs && is("itself") && code > 0; }
};

Story story_of(const Json& element, std::int64_t now_ms) {
  const Json& env = element["pm2_env"];
  const Json& own = element["pmx"];
  const Json& exit = own["last_exit"];
  Story story;
  story.name = element["name"].as_string() + " (id " + element["pm_id"].dump() + ")";
  story.status = env["status"].as_string();
  story.trouble = own["trouble"].as_string();
  for (const Json& log : own["logs"].items())
    if (const std::string& trouble = log["trouble"].as_string(); !trouble.empty())
      story.log_troubles.push_back(trouble);
  story.ended = !exit.is_null();
  story.loops = in_crash_loop(element, now_ms);
  story.cause = exit["cause"].as_string();
  story.signal = exit["signal"].as_string();
  story.code = exit["code"].as_int(-1);
  story.at_ms = exit["at"].as_int();
  story.ran_ms = exit["ran_ms"].as_int();
  story.max_rss = exit["max_rss"].as_int();
  story.restarts = env["restart_time"].as_int();
  story.last_minute = own["restarts_last_minute"].as_int();
  story.open_runs = own["open_runs"].as_int();
  story.started_ms = env["pm_uptime"].as_int();
  story.autorestart = env["autorestart"].as_bool(true);
  story.kill_timeout = env["kill_timeout"].as_int();
  story.min_uptime = env["min_uptime"].as_int();
  story.memory_limit = env["max_memory_restart"].as_int();
  for (const Json& run : own["limit_runs_ms"].items()) story.limit_runs_ms.push_back(run.as_int());
  story.delay = std::max(env["prev_restart_delay"].as_int(), env["restart_delay"].as_int());
  return story;
}

std::string duration_text(std::int64_t ms) {
  if (ms < 10'000) {  // "0.3 s": how soon it died is what matters there.
    const std::int64_t tenths = (ms + 50) / 100;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
  }
  return uptime_text(ms);
}

// A leak takes as long each time; a burst of work does not.
bool is_leak(const Story& story) {
  if (story.limit_runs_ms.size() < 3) return false;
  const auto [least, most] =
      std::minmax_element(story.limit_runs_ms.begin(), story.limit_runs_ms.end());
  return *most <= *least + *least / 4;
}

std::string like_clockwork(const Story& story) {
  if (!is_leak(story)) return "";
  std::int64_t sum = 0;
  for (const std::int64_t run : story.limit_runs_ms) sum += run;
  const auto runs = static_cast<std::int64_t>(story.limit_runs_ms.size());
  return ", as every " + duration_text(sum / runs) + " (the last " + std::to_string(runs) +
         " times)";
}

std::string headline(const Story& story, std::int64_t now_ms) {
  if (story.running() && story.loops)
    return "is in a crash loop: " + std::to_string(story.last_minute) +
           " restarts in the last minute";
  if (story.running())
    return "runs since " + duration_text(now_ms - story.started_ms) +
           (story.last_minute >= kManyInAMinute
                ? ", after " + std::to_string(story.last_minute) + " restarts in the last minute"
                : "");
  if (story.status == "waiting restart")
    return "has ended and is started again after a wait of " + std::to_string(story.delay) + " ms";
  if (story.status == "errored") return "was given up";
  return "is " + story.status;
}

std::string how_it_ended(const Story& story) {
  if (story.is("kill_timeout"))
    return "was told to stop, had not ended after kill_timeout (" +
           std::to_string(story.kill_timeout) + " ms), and was killed by pmx";
  if (story.is("asked")) return "was told to stop, and did";
  if (story.is("cron")) return "was restarted by its cron_restart";
  if (story.is("files_changed")) return "was restarted because files had changed (watch)";
  if (story.is("memory_limit"))
    return "had more in memory than max_memory_restart (" +
           format_size(static_cast<std::uint64_t>(story.memory_limit)) +
           ") and was restarted by pmx" + like_clockwork(story);
  if (story.is("pmx_lost"))
    return "was ended, since pmx's keeper and daemon had both ended (killed, or the machine went "
           "down)";
  if (story.is("out_of_memory"))
    return "was killed while the kernel's out-of-memory killer was at work";
  if (story.is("somebody")) return "was sent " + story.signal + " by somebody else than pmx";
  if (!story.signal.empty()) return "crashed by " + story.signal;
  if (story.code < 0) return "ended, and nobody could see how: its keeper had been killed";
  return "ended by itself with exit code " + std::to_string(story.code);
}

std::string last_run(const Story& story) {
  std::string text = "after " + duration_text(story.ran_ms) + " it " + how_it_ended(story) +
                     ", at " + iso_time(story.at_ms * 1'000'000);
  if (story.max_rss > 0)
    text +=
        "; it had at most " + format_size(static_cast<std::uint64_t>(story.max_rss)) + " in memory";
  return text;
}

std::string what_pmx_does(const Story& story) {
  if (story.status == "errored") return "gave it up; pmx restart starts it again";
  if (story.status == "waiting restart") return "will start it again by itself";
  if (story.status == "stopping") return "waits for its end; SIGKILL comes after kill_timeout";
  if (story.running() && story.restarts > 0)
    return "restarts so far: " + std::to_string(story.restarts) +
           ", those that were asked for among them; by itself in the last minute: " +
           std::to_string(story.last_minute);
  if (story.running() && !story.log_troubles.empty()) return "tries to write its log again";
  if (story.running()) return "has nothing to do";
  if (!story.autorestart) return "leaves it as it is: autorestart is off";
  return "leaves it as it is: pmx start starts it";
}

// The first that applies.
struct Advice {
  bool (*applies)(const Story&);
  std::string_view text;
};
constexpr std::array kAdvice{
    Advice{[](const Story& s) { return s.is("memory_limit") && is_leak(s); },
           "it grows by the clock, so it is a leak and no burst of work: a heap snapshot before "
           "the next one shows what is kept"},
    Advice{[](const Story& s) { return s.is("memory_limit"); },
           "raise max_memory_restart if that much is what its work needs"},
    Advice{[](const Story& s) { return s.is("kill_timeout"); },
           "raise kill_timeout, or have it end by its kill_signal (SIGINT, where none is set): "
           "what it had not finished was lost"},
    Advice{[](const Story& s) { return s.is("out_of_memory"); },
           "give the machine or the cgroup more memory, or run fewer instances; "
           "max_memory_restart ends it in time and in order"},
    Advice{[](const Story& s) { return s.is("somebody") && s.signal == "SIGKILL"; },
           "look for a kill -9 in scripts, or for a container's memory limit"},
    Advice{[](const Story& s) { return s.is("somebody"); },
           "look for who sends it signals: a script, a deploy tool, a terminal"},
    Advice{[](const Story& s) { return s.ended && s.code == 127; },
           "its interpreter or program was not found: see interpreter and PATH"},
    Advice{[](const Story& s) { return s.failed_early(); },
           "it fails within its first second: a module, variable or file that it wants is not "
           "there, or a port is taken; its last words say which"},
    Advice{[](const Story& s) { return s.signal == "SIGABRT" && s.is("itself"); },
           "node aborts when its heap is full: where its last words say so, find what is kept, or "
           "allow more (--node-args=--max-old-space-size=<MB>); else a core dump shows where"},
    Advice{[](const Story& s) { return !s.signal.empty() && s.is("itself"); },
           "it is a crash of native code or of the interpreter: a core dump shows where"},
    Advice{[](const Story& s) { return s.ended && s.code == 0 && s.autorestart && !s.is("asked"); },
           "where ending is all right, set autorestart: false or stop_exit_codes: [0]"},
    Advice{[](const Story& s) { return s.loops; },
           "exp_backoff_restart_delay: 100 keeps it from being started hundreds of times"},
};

}  // namespace

std::string why_text(const Json& element, std::int64_t now_ms) {
  const Story story = story_of(element, now_ms);
  std::string text = story.name + " " + headline(story, now_ms) + "\n";
  if (!story.trouble.empty()) text += "  trouble:  " + story.trouble + "\n";
  for (const std::string& trouble : story.log_troubles) text += "  log:      " + trouble + "\n";
  if (story.ended) text += "  last run: " + last_run(story) + "\n";
  if (!story.running() && story.status != "stopping" && story.open_runs > 0)
    text += "  left:     a process that it started still holds its output\n";
  text += "  pmx:      " + what_pmx_does(story) + "\n";
  for (const Advice& advice : kAdvice) {
    if (!story.ended || !advice.applies(story)) continue;
    text += "  try:      " + std::string(advice.text) + "\n";
    break;
  }
  return text;
}

}  // namespace pmx::cli
