// What the user sees. Text for people can be muted and coloured; what a program reads is neither.
//
// Errors: a closed standard output ends the program quietly, as `pmx list | head -1` needs it.
#pragma once

#include <string>
#include <string_view>

namespace pmx::cli {

enum class Color { kNone, kRed, kGreen, kYellow, kBlue, kCyan, kGray, kBold, kInverse };

class Console {
 public:
  struct Options {
    bool silent = false;  // --silent, PM2_SILENT=true
    bool color = false;
    int columns = 300;  // PM2's width where the output is no terminal.
    int out_fd = 1;
    int err_fd = 2;
  };
  explicit Console(Options options) : options_(options) {}
  // --no-color, NO_COLOR and TERM=dumb against a terminal at `out_fd`.
  static Options detect(bool silent, bool no_color);

  void data(std::string_view text);       // Standard output, never muted.
  void text(std::string_view text);       // Standard output, muted by --silent.
  void info(std::string_view line);       // "[PM2] …"
  void warn(std::string_view line);       // "[PM2][WARN] …" on standard error.
  void error(std::string_view line);      // "[PM2][ERROR] …" on standard error, never muted.
  void complaint(std::string_view line);  // As error(), without its prefix, where PM2 has none.
  void notice(std::string_view line);  // "[PM2] …" on standard error: what is no part of an answer.

  std::string paint(Color color, std::string_view text) const;
  int columns() const { return options_.columns; }
  bool color() const { return options_.color; }

 private:
  void write(int fd, std::string_view text);
  Options options_;
};

}  // namespace pmx::cli
