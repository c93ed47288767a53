// Commands that say something to apps that run. Words and exit codes are PM2's.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/sys.h"
#include "base/units.h"
#include "cli/handlers.h"
#include "cli/logs.h"
#include "cli/session.h"

namespace pmx::cli {
namespace {

// PM2 prints what goes wrong here without its prefix.
int failed_plainly(Session& session, const Error& error) {
  session.console.complaint(error.message());
  return 1;
}

// kNoSpace: the app has not read what was sent before.
Result<void> send_line(Session& session, const std::string& id, const std::string& line) {
  const Json answer =
      PMX_TRY(session.client.post("/v1/send", Json::object({{"id", id}, {"line", line}})));
  if (const Json* full = answer.find("full")) return Error(Errc::kNoSpace, full->as_string());
  return {};
}

// The lines of our standard input, for the worker's.
class TypedLines {
 public:
  static constexpr std::size_t kMaxLineBytes = 1U << 20U;  // As the daemon takes.

  TypedLines(Session& session, std::string id, std::string separator)
      : session_(session), id_(std::move(id)), separator_(std::move(separator)) {}

  // Something can be read. False: our input is at its end.
  bool read() {
    std::array<char, 4096> piece;
    const auto count = sys::read(STDIN_FILENO, piece);
    if (!count && retryable(count.error())) return true;
    if (!count || *count == 0) {
      if (!line_.empty()) send();
      return false;
    }
    for (const char c : std::string_view(piece.data(), *count)) {
      if (c == '\n')
        send();
      else if (line_.size() < kMaxLineBytes)
        line_ += c;
    }
    return true;
  }

 private:
  // What is pasted comes faster than an app may read: then it is offered again, for a second.
  void send() {
    const std::string line = std::exchange(line_, {}) + separator_;
    for (int tries = 0;; ++tries) {
      const Result<void> sent = send_line(session_, id_, line);
      if (sent) return;
      if (sent.error().code() != Errc::kNoSpace || tries == kMostTries)
        return session_.console.error(sent.error().message());
      (void)::poll(nullptr, 0, kTryEveryMs);
    }
  }

  static constexpr int kMostTries = 50, kTryEveryMs = 20;
  Session& session_;
  const std::string id_, separator_;
  std::string line_;
};

}  // namespace

int run_send_signal(Session& session) {
  const auto& words = session.line.words;
  if (words.empty()) return missing_argument(session, "signal");
  if (words.size() < 2) return missing_argument(session, "pm2_id|name");
  const std::string whom = (parse_integer(words[1]) ? "process id " : "process name ") + words[1];
  session.console.info("Sending signal to " + whom);
  const Result<Json> answer = session.client.post(
      "/v1/signal",
      Json::object({{"signal", words[0]}, {"target", words[1]}, {"cwd", session.cwd}}));
  if (!answer) return failed_plainly(session, answer.error());
  session.console.text("successfully sent signal " + words[0] + " to " + whom + "\n");
  return print_list(session);
}

int run_send(Session& session) {
  const auto& words = session.line.words;
  if (words.empty()) return missing_argument(session, "pm_id");
  if (words.size() < 2) return missing_argument(session, "line");
  std::string line = words[1];
  for (std::size_t i = 2; i < words.size(); ++i) line += " " + words[i];
  const Result<void> sent = send_line(session, words[0], line + "\n");
  if (!sent) return failed(session, sent.error());
  return print_list(session);
}

int run_attach(Session& session) {
  const auto& words = session.line.words;
  if (words.empty()) return missing_argument(session, "pm_id");
  if (!parse_integer(words[0]))
    return failed_plainly(session, invalid("pm_id must be a process number (not a process name)"));
  const Result<Json> list = session.short_list();
  if (!list) return failed(session, list.error());
  const bool known = std::any_of(list->items().begin(), list->items().end(),
                                 [&](const Json& e) { return e["pm_id"].dump() == words[0]; });
  if (!known)
    return failed(session, Error(Errc::kNotFound, "Process with ID <" + words[0] + "> unknown."));
  TypedLines typed(session, words[0], words.size() > 1 ? words[1] : "\n");
  LogsOptions options;
  options.home = session.home;
  options.target = words[0];
  options.lines = 0;
  options.raw = true;
  options.no_color = session.line.has("no-color");
  options.input_fd = STDIN_FILENO;
  options.on_input = [&typed] { return typed.read(); };
  return run_logs(options, STDOUT_FILENO, STDERR_FILENO);
}

int run_trigger(Session& session) {
  const auto& words = session.line.words;
  if (words.empty()) return missing_argument(session, "id|proc_name|namespace|all");
  if (words.size() < 2) return missing_argument(session, "action_name");
  Json request = Json::object({{"target", words[0]}, {"action", words[1]}});
  if (words.size() > 2) request.set("parameter", words[2]);
  const Result<Json> answer = session.client.post("/v1/trigger", request);
  if (!answer) return failed_plainly(session, answer.error());
  const auto& replies = answer->items();
  session.console.text(session.console.paint(Color::kBold, std::to_string(replies.size()) +
                                                               " processes have received command " +
                                                               words[1]) +
                       "\n");
  int exit_code = 0;
  for (const Json& reply : replies) {
    const std::string origin = "[" + reply["name"].as_string() + ":" + reply["pm_id"].dump() + ":" +
                               reply["namespace"].as_string() + "]";
    if (const Json* trouble = reply.find("trouble")) {
      session.console.complaint(origin + " " + trouble->as_string());
      exit_code = 1;
      continue;
    }
    const Json* const value = reply.find("return");
    session.console.text(origin + "=" + (value != nullptr ? value->dump() : "undefined") + "\n");
  }
  return exit_code;
}

}  // namespace pmx::cli
