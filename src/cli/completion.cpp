#include "cli/completion.h"

#include <vector>

#include "cli/command_table.h"
#include "cli/option_table.h"

namespace pmx::cli {
namespace {

constexpr std::string_view kGlobalOptions = " help silent no-color";

// Every spelling of the options of one command, separated by spaces.
std::string option_words(const Command& command) {
  std::string out;
  for (const OptionRow& row :
       options_of(std::string(command.options) + std::string(kGlobalOptions)))
    for (const char c : (out.empty() ? "" : " ") + std::string(row.names))
      out += c == ',' ? ' ' : c;
  return out;
}

std::string names_pattern(const Command& command) {
  std::string out(command.name);
  if (command.aliases.empty()) return out;
  out += '|';
  for (const char c : command.aliases) out += c == ' ' ? '|' : c;
  return out;
}

std::string all_names() {
  std::string out;
  for (const std::string_view name : command_names())
    out += (out.empty() ? "" : " ") + std::string(name);
  return out;
}

// Names of apps come from the list, but only of a daemon that runs: a Tab must not start one.
constexpr std::string_view kBashHead = R"sh(# bash completion for pmx
_pmx_names() {
    [ -S "${PMX_HOME:-${PM2_HOME:-$HOME/.pmx}}/pmx.sock" ] || return
    pmx list -m --no-color 2>/dev/null | sed -n 's/^+--- //p'
}
_pmx() {
    local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options= words=
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W ")sh";

std::string bash_script() {
  std::string out(kBashHead);
  out += all_names() + "\" -- \"$cur\"))\n        return\n    fi\n    case $command in\n";
  for (const Command& command : commands()) {
    if (command.summary.empty()) continue;
    out += "    " + names_pattern(command) + ") options='" + option_words(command) + "'";
    if (command.words == Words::kTargets) out += "; words=\"all $(_pmx_names)\"";
    if (!command.choices.empty()) out += "; words='" + std::string(command.choices) + "'";
    out += " ;;\n";
  }
  return out +
         "    esac\n"
         "    if [[ $cur == -* ]]; then\n"
         "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
         "    else\n"
         "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "    fi\n"
         "}\n"
         "complete -o bashdefault -o default -F _pmx pmx\n";
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string zsh_script() {
  std::string out =
      "#compdef pmx\n# zsh completion for pmx\n_pmx() {\n    local -a commands\n    commands=(\n";
  for (const Command& command : commands())
    if (!command.summary.empty())
      out += "        " + quoted(std::string(command.name) + ":" + std::string(command.summary)) +
             "\n";
  out +=
      "    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        "
      "return\n    fi\n"
      "    case $words[2] in\n";
  for (const Command& command : commands()) {
    if (command.summary.empty()) continue;
    out += "    " + names_pattern(command) + ") compadd -- ${=:-" + option_words(command) + "}";
    if (command.words == Words::kTargets)
      out +=
          "; [[ -S ${PMX_HOME:-${PM2_HOME:-$HOME/.pmx}}/pmx.sock ]] && "
          "compadd -- all ${(f)\"$(pmx list -m --no-color 2>/dev/null | sed -n 's/^+--- //p')\"}";
    if (!command.choices.empty()) out += "; compadd -- " + std::string(command.choices);
    out += " ;;\n";
  }
  return out + "    esac\n    _files\n}\n_pmx \"$@\"\n";
}

std::string fish_script() {
  std::string out = "# fish completion for pmx\n";
  for (const Command& command : commands()) {
    if (command.summary.empty()) continue;
    out += "complete -c pmx -n __fish_use_subcommand -a " + std::string(command.name) + " -d " +
           quoted(command.summary) + "\n";
    const std::string condition =
        " -n '__fish_seen_subcommand_from " + std::string(command.name) +
        (command.aliases.empty() ? "" : " " + std::string(command.aliases)) + "'";
    for (const OptionRow& row : options_of(command.options)) {
      out += "complete -c pmx" + condition + " -l " + std::string(long_name(row.names));
      if (row.names.size() > 2 && row.names[1] != '-') out += " -s " + std::string(1, row.names[1]);
      if (!row.value.empty() && row.value.front() == '<') out += " -r";
      out += " -d " + quoted(row.help) + "\n";
    }
    if (!command.choices.empty())
      out += "complete -c pmx" + condition + " -f -a '" + std::string(command.choices) + "'\n";
    if (command.words == Words::kTargets)
      out += "complete -c pmx" + condition +
             " -f -a \"all (pmx list -m --no-color 2>/dev/null | string replace -rf '^\\\\+--- ' "
             "'')\"\n";
  }
  return out;
}

}  // namespace

Result<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  return invalid("completion: \"" + std::string(shell) + "\" is not bash, zsh or fish");
}

}  // namespace pmx::cli
