#include "cli/help_text.h"

#include <string_view>

#include "cli/option_table.h"

namespace pmx::cli {
namespace {

constexpr std::string_view kGlobalOptions = "help version silent no-color";
constexpr std::size_t kLeftColumn = 44;

std::string two_columns(std::string left, std::string_view right) {
  left = "  " + left;
  if (left.size() < kLeftColumn)
    left += std::string(kLeftColumn - left.size(), ' ');
  else
    left += "\n" + std::string(kLeftColumn, ' ');
  return left + std::string(right) + "\n";
}

std::string spelled(const OptionRow& row) {
  std::string text;
  for (const char c : row.names) text += c == ',' ? std::string(", ") : std::string(1, c);
  // "<a...>" would say that several words may follow: the option is repeated.
  if (const std::size_t dots = row.value.find("..."); dots != std::string_view::npos)
    text += " " + std::string(row.value).erase(dots, 3) + " (repeatable)";
  else if (!row.value.empty())
    text += " " + std::string(row.value);
  return text;
}

// A setting's text says what it does when it is on, and its option may be the one that says no.
std::string help_of(const OptionRow& row) {
  const bool off = row.of_setting && row.names.find("--no-") != std::string_view::npos;
  return (off ? "Turns off: " : "") + std::string(row.help);
}

std::string options_text(std::string_view names) {
  std::string out;
  for (const OptionRow& row : options_of(names)) out += two_columns(spelled(row), help_of(row));
  return out;
}

// troff: a minus is \-, a leading dot or apostrophe would be a request.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
  return out;
}

}  // namespace

std::string usage_text() {
  std::string out =
      "pmx " PMX_VERSION
      ": runs programs, keeps every line they print, rotates and packs their logs.\n\n"
      "Usage: pmx <command> [options] [-- arguments of the app]\n\nCommands:\n";
  for (const Command& command : commands()) {
    if (command.summary.empty()) continue;
    std::string names(command.name);
    for (const char c :
         command.aliases.empty() ? std::string() : " " + std::string(command.aliases))
      names += c == ' ' ? std::string(", ") : std::string(1, c);
    out += two_columns(names, command.summary);
  }
  out += "\nOptions of every command:\n" + options_text(kGlobalOptions);
  return out +
         "\npmx help <command> shows the options of one command; pmx docs settings all settings.\n";
}

std::string usage_text(const Command& command) {
  std::string out =
      "Usage: pmx " + std::string(command.usage) + "\n\n" + std::string(command.summary) + "\n";
  if (!command.aliases.empty()) out += "Also: " + std::string(command.aliases) + "\n";
  const std::string options = options_text(command.options);
  if (!options.empty()) out += "\nOptions:\n" + options;
  return out + "\nOptions of every command:\n" + options_text(kGlobalOptions);
}

std::string man_page() {
  std::string out =
      ".TH PMX 1 \"\" \"pmx " PMX_VERSION
      "\" \"User Commands\"\n"
      ".SH NAME\npmx \\- run programs and keep every line they print\n"
      ".SH SYNOPSIS\n.B pmx\n.I command\n[options] [\\-\\- arguments of the app]\n"
      ".SH DESCRIPTION\n"
      "pmx starts programs, starts them again when they end, captures what they print, rotates "
      "and\n"
      "compresses the log files. Commands, options and configuration keys are those of PM2.\n"
      ".SH COMMANDS\n";
  for (const Command& command : commands())
    if (!command.summary.empty())
      out += ".TP\n.B pmx " + escaped(command.usage) + "\n" + escaped(command.summary) + "\n";
  out += ".SH OPTIONS\n";
  for (const OptionRow& row : all_options())
    out += ".TP\n.B " + escaped(spelled(row)) + "\n" + escaped(help_of(row)) + "\n";
  return out +
         ".SH ENVIRONMENT\n.TP\n.B PMX_HOME\nWhere logs, state and the socket are; ~/.pmx where "
         "not set.\n"
         ".TP\n.B PM2_HOME\nTaken where PMX_HOME is not set.\n"
         ".TP\n.B PMX_SHIP\nStores for the lines of apps that name none: URLs as "
         "loki+http://host:3100, separated by spaces or commas.\n"
         ".TP\n.B PMX_SHIP_PASSWORD\nPassword of a user in such a URL.\n"
         ".TP\n.B NO_COLOR\nNo colours.\n"
         ".SH EXIT STATUS\n0 when all went well, 1 otherwise. pmx run: the program's own.\n";
}

}  // namespace pmx::cli
