#include "supervisor/health_check.h"

#include <re2/re2.h>

#include <array>
#include <utility>

#include "base/sys.h"
#include "base/units.h"

namespace pmx::supervisor {

using Progress = HttpAnswer::Progress;

struct HealthCheck::Pattern {
  explicit Pattern(const std::string& text) : expression(text, RE2::Quiet) {}
  const RE2 expression;
};

HealthCheck::HealthCheck(Parts parts, HealthRule rule, std::chrono::milliseconds within, Done done)
    : parts_(std::move(parts)),
      rule_(std::move(rule)),
      within_(within),
      done_(std::move(done)),
      last_("gives no answer to GET " + rule_.path) {
  const std::string& expect = rule_.expect;
  if (const auto status = parse_integer(expect)) {
    status_ = static_cast<int>(*status);
  } else if (expect.size() > 2 && expect.front() == '/' && expect.back() == '/') {
    pattern_ = std::make_unique<const Pattern>(expect.substr(1, expect.size() - 2));
  }
  end_timer_ = parts_.timers.call_after(within_, [this] {
    end_timer_ = 0;
    finish(Error(Errc::kIo,
                 last_ + " (health, asked for " + std::to_string(within_.count()) + " ms)"));
  });
  ask_timer_ = parts_.timers.call_after(std::chrono::nanoseconds(0), [this] { ask(); });
}

HealthCheck::~HealthCheck() { hang_up(); }

void HealthCheck::hang_up() {
  parts_.timers.cancel(std::exchange(ask_timer_, 0));
  parts_.timers.cancel(std::exchange(end_timer_, 0));
  if (connection_) parts_.watches.unwatch(connection_.get());
  connection_ = Fd();
}

void HealthCheck::finish(Result<void> result) {
  hang_up();
  const Done done = std::move(done_);
  done(std::move(result));  // Which may be the end of this.
}

void HealthCheck::ask() {
  ask_timer_ = 0;
  heard_.clear();
  auto connection = parts_.connect();
  if (!connection)
    return wrong("cannot be asked GET " + rule_.path + ": " + connection.error().message());
  connection_ = std::move(*connection);
  const std::string request = "GET " + rule_.path +
                              " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: pmx-health\r\n"
                              "Accept: */*\r\nConnection: close\r\n\r\n";
  const auto sent = sys::send_bytes(connection_.get(), request);
  const auto watched = parts_.watches.watch_changes(connection_.get(), [this] { hear(); });
  if (!sent || *sent != request.size() || !watched)
    return wrong("closes the connection on GET " + rule_.path);
}

void HealthCheck::hear() {
  std::array<char, 16U << 10U> window;
  for (;;) {
    const auto got = sys::receive(connection_.get(), window);
    if (!got && got.error().code() == Errc::kUnavailable) return;
    const bool ended = !got || *got == 0;
    if (!ended) heard_.append(window.data(), *got);
    const HttpAnswer answer = read_http_answer(heard_, ended);
    const bool known = answer.progress != Progress::kMore || expects(answer) ||
                       (status_ != 0 && answer.status != 0) || heard_.size() >= kMostBytes;
    if (known) return judge(answer);
  }
}

bool HealthCheck::expects(const HttpAnswer& answer) const {
  if (status_ != 0) return answer.status == status_;
  if (answer.status < 200 || answer.status > 299) return false;
  if (pattern_) return RE2::PartialMatch(answer.body, pattern_->expression);
  return answer.body.find(rule_.expect) != std::string::npos;
}

std::string HealthCheck::not_expected(const HttpAnswer& answer) const {
  const std::string asked = "GET " + rule_.path;
  if (answer.progress == Progress::kNoHttp) return "answers " + asked + " with what is no HTTP";
  if (answer.status == 0) return "closes the connection on " + asked + ", sent without TLS";
  const std::string status = "answers " + asked + " with " + std::to_string(answer.status);
  if (status_ != 0) return status + ", not " + rule_.expect;
  if (answer.status < 200 || answer.status > 299) return status + ", not with 2xx";
  return status + " and without " + (pattern_ ? rule_.expect : "\"" + rule_.expect + "\"");
}

void HealthCheck::judge(const HttpAnswer& answer) {
  if (expects(answer)) return finish({});
  wrong(not_expected(answer));
}

// What it did last is told, where it does no better until its time is over.
void HealthCheck::wrong(std::string what) {
  last_ = std::move(what);
  if (connection_) parts_.watches.unwatch(connection_.get());
  connection_ = Fd();
  ask_timer_ = parts_.timers.call_after(kPause, [this] { ask(); });
}

}  // namespace pmx::supervisor
