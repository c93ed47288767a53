// `pmx monit`: the list and the lines of one worker, on the whole screen until it is left.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "base/sys.h"
#include "cli/handlers.h"
#include "cli/list_view.h"
#include "cli/logs_format.h"
#include "cli/logs_merge.h"
#include "cli/monit_view.h"
#include "cli/session.h"

namespace pmx::cli {
namespace {

constexpr std::chrono::milliseconds kRefresh{800};  // PM2's.
constexpr std::size_t kFirstLines = 50;

volatile sig_atomic_t told_to_end = 0;

// While it lives, keys come one by one and unseen, and what was on the screen is kept for later.
class FullScreen {
 public:
  FullScreen() {
    (void)::tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    (void)::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    struct sigaction end {};
    end.sa_handler = [](int) { told_to_end = 1; };  // Without SA_RESTART: poll() comes back.
    for (const int signal : {SIGTERM, SIGHUP, SIGINT}) (void)::sigaction(signal, &end, nullptr);
    end.sa_handler = [](int) {};
    (void)::sigaction(SIGWINCH, &end, nullptr);
    // Another screen, no cursor, no wrapping.
    write("\033[?1049h\033[?25l\033[?7l");
  }
  ~FullScreen() {
    write("\033[?7h\033[?25h\033[?1049l");
    (void)::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  static bool write(std::string_view text) { return bool(sys::write_all(STDOUT_FILENO, text)); }
  static MonitView::Size size() {
    winsize now{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) != 0 || now.ws_row == 0 || now.ws_col == 0)
      return {};
    return {now.ws_row, now.ws_col};
  }

 private:
  termios before_{};
};

class Monit {
 public:
  explicit Monit(Session& session) : session_(session), daemon_(session.home, {}) {
    style_.terminal = true;
    style_.color = session.console.color();
    style_.label_width = 0;
  }

  Result<void> look(ApiClient& client);
  void run();

 private:
  void follow_chosen();
  void take_lines();
  bool draw();
  bool take_keys();  // False: leave.
  bool wait();       // As take_keys().

  Session& session_;
  ApiClient daemon_;  // Starts none: one that was ended stays so.
  RealFs fs_;
  MonitView view_;
  std::optional<WorkerId> followed_;
  std::optional<LogsMerge> logs_;
  LineStyle style_;
};

Result<void> Monit::look(ApiClient& client) {
  const Json list = PMX_TRY(client.get("/v1/list/short"));
  view_.show(PMX_TRY(sorted_list(list, session_.line.value("sort"))));
  return {};
}

void Monit::follow_chosen() {
  const bool moved = logs_ && logs_->path_changed();  // Its files may have other names now.
  if (logs_ && !moved && view_.chosen() == followed_) return;
  followed_ = view_.chosen();
  view_.clear_lines();
  logs_.reset();
  if (!followed_) return;
  const auto workers = read_log_workers(fs_, session_.home);
  if (!workers) return view_.trouble(workers.error().message());
  auto sources = sources_of(*workers, std::to_string(followed_->value), session_.home, {});
  if (!sources) return;  // Deleted meanwhile: the next list says so.
  logs_.emplace(fs_, session_.clock, session_.home, rotate::LineFilter());
  logs_->update(std::move(*sources),
                [](rotate::LogReader& reader) { reader.last_lines(kFirstLines); });
  logs_->follow(apps_path(session_.home));
}

void Monit::take_lines() {
  if (!logs_) return;
  logs_->print_all([this](const LogSource& source, const rotate::LogLine& line) {
    LineOrigin origin;
    origin.label = source.kind_of(line) == StreamKind::kErr ? "err" : "out";
    origin.kind = source.kind_of(line);
    std::string text;
    append_line(text, style_, origin, line);
    view_.add_line(std::string_view(text).substr(0, text.find('\n')));
    return true;
  });
  (void)logs_->take_warnings();
}

bool Monit::draw() {
  const MonitView::Size size = FullScreen::size();
  const Console console(
      {false, session_.console.color(), static_cast<int>(size.columns), STDOUT_FILENO, -1});
  return FullScreen::write("\033[H" + view_.frame(console, size, session_.now_ms()) + "\033[J");
}

bool Monit::take_keys() {
  std::array<char, 256> buffer;
  const auto count = sys::read(STDIN_FILENO, buffer);
  if (!count || *count == 0) return false;  // The terminal has gone.
  std::string_view bytes(buffer.data(), *count);
  while (const auto key = take_key(bytes)) {
    if (*key == MonitView::Key::kLeave) return false;
    view_.move(*key);
  }
  return true;
}

bool Monit::wait() {
  std::array<pollfd, 2> waits{pollfd{STDIN_FILENO, POLLIN, 0},
                              pollfd{logs_ ? logs_->follower()->fd() : -1, POLLIN, 0}};
  auto left = kRefresh;
  if (const auto timeout = logs_ ? logs_->follower()->poll_timeout() : std::nullopt)
    left = std::min(left, *timeout);
  (void)::poll(waits.data(), waits.size(), static_cast<int>(left.count()));
  if (told_to_end != 0) return false;
  return waits[0].revents == 0 || take_keys();
}

void Monit::run() {
  const FullScreen screen;
  auto next_look = session_.clock.steady_now() + kRefresh;
  do {
    if (session_.clock.steady_now() >= next_look) {
      const Result<void> looked = look(daemon_);
      view_.trouble(looked ? "" : looked.error().message());
      next_look = session_.clock.steady_now() + kRefresh;
    }
    follow_chosen();
    take_lines();
  } while (draw() && wait());
}

}  // namespace

int run_monit(Session& session) {
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1)
    return failed(session, invalid("monit needs a terminal: `pmx list` and `pmx logs` do not"));
  Monit monit(session);
  const Result<void> looked = monit.look(session.client);
  if (!looked) return failed(session, looked.error());
  monit.run();
  return 0;
}

}  // namespace pmx::cli
