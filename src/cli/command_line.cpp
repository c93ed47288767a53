#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "config/nearest.h"

namespace pmx::cli {
namespace {

std::vector<std::string_view> names_of(std::span<const OptionRow> rows) {
  std::vector<std::string_view> names;
  for (const OptionRow& row : rows) {
    std::string_view rest = row.names;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      names.push_back(rest.substr(0, comma));
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return names;
}

CLI::Option* add(CLI::App& app, const OptionRow& row) {
  const std::string names(row.names);
  if (row.value.empty()) return app.add_flag(names);
  CLI::Option* option = app.add_option(names);
  const bool optional = row.value.front() == '[';
  option->expected(optional ? 0 : 1, 1);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return option;
}

bool looks_like_option(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

Error unknown_option(std::span<const OptionRow> rows, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  const std::vector<std::string_view> known = names_of(rows);
  return invalid("unknown option `" + name + "'" + config::suggestion(name, known));
}

Result<void> collect(CLI::App& app, std::span<const OptionRow> rows,
                     const std::vector<CLI::Option*>& options, CommandLine& line) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (options[i]->count() == 0) continue;
    std::vector<std::string> values = options[i]->results();
    // CLI11 writes "true" for a flag, and its own mark for a value that was left out.
    for (std::string& value : values)
      if (rows[i].value.empty() || value == "{}") value.clear();
    if (values.empty()) values.emplace_back();
    line.options.emplace(long_name(rows[i].names), std::move(values));
  }
  for (const std::string& word : app.remaining()) {
    if (looks_like_option(word)) return unknown_option(rows, word);
    line.words.push_back(word);
  }
  return {};
}

}  // namespace

std::string CommandLine::value(std::string_view option) const {
  const auto found = options.find(option);
  return found == options.end() ? "" : found->second.back();
}

std::vector<std::string> CommandLine::values(std::string_view option) const {
  const auto found = options.find(option);
  return found == options.end() ? std::vector<std::string>() : found->second;
}

std::string_view long_name(std::string_view names) {
  const std::size_t dashes = names.find("--");
  if (dashes == std::string_view::npos) return names.substr(1);
  const std::string_view name = names.substr(dashes + 2);
  return name.substr(0, name.find(','));
}

Result<CommandLine> parse_command_line(std::span<const OptionRow> rows,
                                       std::vector<std::string> arguments) {
  CommandLine line;
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  if (dashes != arguments.end()) {
    line.has_app_args = true;
    line.app_args.assign(dashes + 1, arguments.end());
    arguments.erase(dashes, arguments.end());
  }
  try {
    CLI::App app;
    app.set_help_flag();  // Ours is a row of the table, like every other.
    app.allow_extras();
    app.allow_windows_style_options(false);
    std::vector<CLI::Option*> options;
    for (const OptionRow& row : rows) options.push_back(add(app, row));
    std::reverse(arguments.begin(), arguments.end());  // As CLI11 wants a vector.
    app.parse(std::move(arguments));
    PMX_TRY(collect(app, rows, options, line));
  } catch (const CLI::Error& e) {
    return invalid(e.what());
  }
  return line;
}

}  // namespace pmx::cli
