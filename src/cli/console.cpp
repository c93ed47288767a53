#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/sys.h"

namespace pmx::cli {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

constexpr std::array<const char*, 9> kSequences{"",         "\x1b[31m", "\x1b[32m",
                                                "\x1b[33m", "\x1b[34m", "\x1b[36m",
                                                "\x1b[90m", "\x1b[1m",  "\x1b[7m"};

}  // namespace

Console::Options Console::detect(bool silent, bool no_color) {
  Options options;
  const char* muted = std::getenv("PM2_SILENT");
  options.silent = silent || (muted != nullptr && std::string_view(muted) == "true");
  const char* term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::string_view(term) == "dumb";
  const bool terminal = ::isatty(options.out_fd) == 1;
  options.color = terminal && !no_color && !dumb && !is_set("NO_COLOR");
  winsize size{};
  if (terminal && ::ioctl(options.out_fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    options.columns = size.ws_col;
  return options;
}

void Console::write(int fd, std::string_view text) {
  // The reader has gone, and there is nobody to tell: no line, and no failure of what was done.
  if (!sys::write_all(fd, text) && fd == options_.out_fd) ::_exit(0);
}

void Console::data(std::string_view text) { write(options_.out_fd, text); }

void Console::text(std::string_view text) {
  if (!options_.silent) write(options_.out_fd, text);
}

void Console::info(std::string_view line) {
  text(paint(Color::kGreen, "[PM2] ") + std::string(line) + "\n");
}

void Console::warn(std::string_view line) {
  if (!options_.silent)
    write(options_.err_fd, paint(Color::kYellow, "[PM2][WARN] ") + std::string(line) + "\n");
}

void Console::error(std::string_view line) {
  write(options_.err_fd, paint(Color::kRed, "[PM2][ERROR] ") + std::string(line) + "\n");
}

void Console::complaint(std::string_view line) { write(options_.err_fd, std::string(line) + "\n"); }

void Console::notice(std::string_view line) {
  if (!options_.silent)
    write(options_.err_fd, paint(Color::kGreen, "[PM2] ") + std::string(line) + "\n");
}

std::string Console::paint(Color color, std::string_view text) const {
  if (!options_.color || color == Color::kNone) return std::string(text);
  return kSequences[static_cast<std::size_t>(color)] + std::string(text) + "\x1b[0m";
}

}  // namespace pmx::cli
