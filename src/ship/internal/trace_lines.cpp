// The patterns follow what node 20, Python 3.11, Java 17 and Go 1.2x were seen to print, and Fluent
// Bit's parsers (src/multiline/flb_ml_parser_*.c) for what they have in common.
//
// An ordinary line costs a look at its first and last bytes and its first word.
#include "ship/internal/trace_lines.h"

#include <algorithm>
#include <array>

namespace pmx::ship::internal {
namespace {

constexpr std::string_view kTraceback = "Traceback (most recent call last):";

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
constexpr bool is_indent(char c) { return c == ' ' || c == '\t'; }
constexpr bool is_blank(char c) { return is_indent(c) || c == '\r'; }

// Without colours at its beginning and blanks at its end.
std::string_view core_of(std::string_view line) {
  while (line.starts_with("\x1B[")) {
    const std::size_t end = line.find_first_not_of("0123456789;", 2);
    if (end == std::string_view::npos) break;
    line.remove_prefix(end + 1);
  }
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

bool indented(std::string_view line) { return !line.empty() && is_indent(line[0]); }

std::string_view without_indent(std::string_view line) {
  while (indented(line)) line.remove_prefix(1);
  return line;
}

bool digit_after(std::string_view line, std::string_view prefix) {
  return line.size() > prefix.size() && line.starts_with(prefix) && is_digit(line[prefix.size()]);
}

// "…:12": where something is in a file.
bool ends_in_line_number(std::string_view line) {
  std::size_t at = line.size();
  while (at > 0 && is_digit(line[at - 1])) --at;
  return at > 0 && at < line.size() && line[at - 1] == ':';
}

// "}", "})", "],", "};"
bool is_lone_closing(std::string_view line) {
  return line.find_first_not_of("}])") == std::string_view::npos ||
         (line.size() > 1 && (line.back() == ',' || line.back() == ';') &&
          line.find_first_not_of("}])") == line.size() - 1);
}

// The class that a line begins with, where it is named as errors are: "TypeError: …",
// "java.io.IOException", "Error [ERR_X]: …". "": it does not.
std::string_view error_class(std::string_view line) {
  std::size_t end = 0;
  while (end < line.size() && (is_letter(line[end]) || is_digit(line[end]) || line[end] == '.' ||
                               line[end] == '_' || line[end] == '$'))
    ++end;
  if (end < 5 || (end < line.size() && line[end] != ':' && !line.substr(end).starts_with(" [")))
    return {};
  const std::string_view name = line.substr(0, end);
  const bool error =
      name.ends_with("Error") || name.ends_with("Exception") || name.ends_with("Throwable");
  return error ? name : std::string_view();
}

bool is_java_exception(std::string_view line) {
  return line[0] >= 'a' && line[0] <= 'z' && error_class(line).find('.') != std::string_view::npos;
}

// A logger's line that the trace of an exception follows.
bool tells_of_an_error(std::string_view line) {
  constexpr std::array<std::string_view, 8> kWords{"ERROR",    "Error",     "WARN",      "FATAL",
                                                   "CRITICAL", "Exception", "exception", "SEVERE"};
  return std::any_of(kWords.begin(), kWords.end(), [line](std::string_view word) {
    return line.find(word) != std::string_view::npos;
  });
}

// "ValueError: x", "KeyboardInterrupt", "pkg.mod.Class.<locals>.E: x"
bool is_python_exception(std::string_view line) {
  const std::size_t end = line.find_first_of(" :\t(");
  const std::string_view name = line.substr(0, end);
  if (name.empty() || (!is_letter(name[0]) && name[0] != '_')) return false;
  return end == std::string_view::npos || line[end] == ':';
}

// "  File "/app/x.py", line 3", which begins the SyntaxError of a script itself.
bool is_python_frame(std::string_view line) {
  return line.starts_with("  File \"") && line.find("\", line ") != std::string_view::npos;
}

bool begins_goroutine(std::string_view line) {
  return digit_after(line, "goroutine ") && line.find(" [") != std::string_view::npos;
}

// "rax    0x5c0d18", as after SIGQUIT.
bool is_register(std::string_view line) {
  const std::size_t name = std::min(line.find(' '), line.size());
  const std::size_t value = line.find_first_not_of(' ', name);
  return name >= 2 && name <= 6 && value != std::string_view::npos &&
         line.substr(value).starts_with("0x") && line.find(' ', value) == std::string_view::npos;
}

bool begins_go_section(std::string_view line) {
  return begins_goroutine(line) || line.starts_with("runtime stack:") ||
         line.starts_with("[signal ") || line.starts_with("goroutine running on other thread") ||
         is_register(line);
}

bool begins_go(std::string_view line) {
  return line.starts_with("panic: ") || line.starts_with("fatal error: ") ||
         begins_goroutine(line) || line.starts_with("SIGQUIT: ") || line.starts_with("SIGSEGV: ") ||
         line.starts_with("SIGABRT: ");
}

// "main.(*T).Run(0x1, {0x2, 0x3})"
bool is_go_call(std::string_view line) {
  const std::size_t end = line.find_first_of(" (");
  return line.ends_with(')') && end != std::string_view::npos && end > 0 && line[end] == '(';
}

bool is_go_line(std::string_view line) {
  return indented(line) || begins_go(line) || begins_go_section(line) || is_go_call(line) ||
         line.starts_with("created by ") || digit_after(line, "exit status ") ||
         line.starts_with("...") || line.starts_with("PC=0x");
}

// "/app/x.js:12", "node:internal/process/promises:288", "file:///app/x.mjs:3"
bool is_node_path(std::string_view line) {
  if (!ends_in_line_number(line) || line.find(' ') != std::string_view::npos) return false;
  if (line.starts_with("node:")) return true;
  if (!line.starts_with('/') && !line.starts_with("file:///")) return false;
  const std::string_view path = line.substr(0, line.rfind(':'));
  constexpr std::array<std::string_view, 8> kEnds{".js",  ".mjs", ".cjs", ".ts",
                                                  ".mts", ".cts", ".jsx", ".tsx"};
  return std::any_of(kEnds.begin(), kEnds.end(),
                     [path](std::string_view end) { return path.ends_with(end); });
}

bool is_caret(std::string_view line) {
  const std::string_view carets = without_indent(line);
  return !carets.empty() && carets.find_first_not_of('^') == std::string_view::npos;
}

// "app/models/x.rb:3:in `index'", which Rails does not indent.
bool is_ruby_frame(std::string_view line) {
  const std::size_t file = line.find(".rb:");
  return file != std::string_view::npos && line.find(' ') > file &&
         line.find(":in ", file) != std::string_view::npos;
}

// A line that goes on by how it begins, whatever is before it.
bool continues_by_itself(std::string_view line) {
  switch (line[0]) {
    case ' ':
    case '\t':
      return true;
    case '}':
    case ']':
    case ')':
      return is_lone_closing(line);
    case '.':
      return digit_after(line, "... ");
    case 'C':
      return line.starts_with("Caused by: ");
    case 'S':
      return line.starts_with("Suppressed: ");
    case 'a':
      if (line.starts_with("at ") && (line.back() == ')' || ends_in_line_number(line))) return true;
      break;
    default:
      break;
  }
  return line.back() == '\'' && is_ruby_frame(line);
}

Step step_plain(Trace trace, std::string_view text, std::uint32_t lines, std::string_view line) {
  if (is_python_frame(line) && !text.ends_with(':')) return {};
  if (continues_by_itself(line))
    return {Join::kYes, trace == Trace::kException ? Trace::kPlain : trace};
  if (line == kTraceback && lines == 1 && tells_of_an_error(text))
    return {Join::kYes, Trace::kPython};
  if (is_java_exception(line) && lines == 1 && tells_of_an_error(text))
    return {Join::kYes, Trace::kException};
  if (line[0] == 'g' && begins_goroutine(line) &&
      (text.find("panic") != std::string_view::npos ||
       text.find("PANIC") != std::string_view::npos))
    return {Join::kYes, Trace::kGo};
  // The second line of a message; a logger's line or another error is none.
  if (trace == Trace::kException && lines == 1 && !is_digit(line[0]) && line[0] != '[' &&
      !tells_of_an_error(line))
    return {Join::kMaybe, trace};
  return {Join::kNo, trace};
}

Step step_blank(Trace trace) {
  switch (trace) {
    case Trace::kPython:
    case Trace::kPythonDone:
    case Trace::kPythonChain:
    case Trace::kGo:
      return {Join::kMaybe, trace};
    case Trace::kNodeCaret:
    case Trace::kNodeThrow:
      return {Join::kYes, trace};
    default:
      return {Join::kNo, trace};
  }
}

}  // namespace

Trace trace_begun_by(std::string_view whole_line) {
  const std::string_view line = core_of(whole_line);
  if (without_indent(line).empty()) return Trace::kBlank;
  if (line.ends_with(kTraceback) && (line.size() == kTraceback.size() || !indented(line)))
    return Trace::kPython;
  if (is_python_frame(line)) return Trace::kPython;
  if (begins_go(line)) return Trace::kGo;
  if ((line[0] == '/' || line[0] == 'n' || line[0] == 'f') && is_node_path(line))
    return Trace::kNodePath;
  if (is_letter(line[0]) && (!error_class(line).empty() || line.starts_with("Exception in thread")))
    return Trace::kException;
  return Trace::kPlain;
}

Step step(Trace trace, std::string_view text, std::uint32_t lines, std::string_view whole_line) {
  const std::string_view line = core_of(whole_line);
  if (trace == Trace::kBlank) return {};
  if (without_indent(line).empty()) return step_blank(trace);
  switch (trace) {
    case Trace::kPython:
      if (indented(line)) return {Join::kYes, trace};
      if (is_python_exception(line)) return {Join::kYes, Trace::kPythonDone};
      return {};
    case Trace::kGo:
      if (is_go_line(line)) return {Join::kYes, trace};
      break;
    case Trace::kNodePath:
      return {Join::kMaybe, trace};
    case Trace::kNodeCaret:
      return {Join::kYes, Trace::kNodeThrow};
    case Trace::kNodeThrow:  // A message may have any lines. The version comes last.
      return {Join::kYes, line.starts_with("Node.js v") ? Trace::kPlain : trace};
    default:
      break;
  }
  return step_plain(trace, text, lines, line);
}

std::optional<Trace> settled(Trace trace, std::string_view whole_line) {
  const std::string_view line = core_of(whole_line);
  switch (trace) {
    case Trace::kException:
      if (indented(line) && without_indent(line).starts_with("at ")) return Trace::kPlain;
      break;
    case Trace::kPython:
      if (indented(line)) return trace;
      break;
    case Trace::kPythonDone:
      if (line.starts_with("During handling of the above exception,") ||
          line.starts_with("The above exception was the direct cause"))
        return Trace::kPythonChain;
      break;
    case Trace::kPythonChain:
      if (line == kTraceback) return Trace::kPython;
      break;
    case Trace::kGo:
      if (begins_go_section(line)) return trace;
      break;
    case Trace::kNodePath:
      if (is_caret(line)) return Trace::kNodeCaret;
      break;
    default:
      break;
  }
  return std::nullopt;
}

}  // namespace pmx::ship::internal
