#include "base/dotenv.h"

#include <algorithm>
#include <cctype>

namespace pmx {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
}

class DotenvParser {
 public:
  explicit DotenvParser(std::string_view text) : rest_(text) {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);  // Windows' editors.
  }

  Result<std::map<std::string, std::string>> parse() {
    std::map<std::string, std::string> variables;
    while (!rest_.empty()) {
      skip_blanks();
      if (rest_.starts_with('#')) skip_line();
      if (at_end_of_line()) {
        take_newline();
        continue;
      }
      std::string name = PMX_TRY(take_name());
      std::string value = PMX_TRY(take_value());
      if (value.find('\0') != std::string::npos) return wrong("a value has a NUL in it");
      variables[std::move(name)] = std::move(value);
    }
    return variables;
  }

 private:
  Error wrong(std::string_view what) const {
    return invalid("line " + std::to_string(line_) + ": " + std::string(what));
  }
  bool at_end_of_line() const { return rest_.empty() || rest_.front() == '\n'; }
  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }
  void skip_line() { rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size())); }
  void take_newline() {
    if (!rest_.empty()) rest_.remove_prefix(1);
    ++line_;
  }

  Result<std::string> take_name() {
    constexpr std::string_view kExport = "export";
    if (rest_.starts_with(kExport) && rest_.size() > kExport.size() &&
        is_blank(rest_[kExport.size()])) {
      rest_.remove_prefix(kExport.size());
      skip_blanks();
    }
    std::size_t length = 0;
    while (length < rest_.size() && is_name_char(rest_[length])) ++length;
    std::string name(rest_.substr(0, length));
    rest_.remove_prefix(length);
    skip_blanks();
    const bool digit = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) != 0;
    if (name.empty() || digit || !rest_.starts_with('='))
      return wrong("expected NAME=value, a comment or an empty line");
    rest_.remove_prefix(1);
    skip_blanks();
    return name;
  }

  Result<std::string> take_value() {
    const char quote = rest_.empty() ? '\0' : rest_.front();
    if (quote == '"' || quote == '\'' || quote == '`') return take_quoted(quote);
    const std::size_t end = std::min(rest_.find_first_of("#\n"), rest_.size());
    std::string value(rest_.substr(0, end));
    while (!value.empty() && is_blank(value.back())) value.pop_back();
    skip_line();
    return value;
  }

  Result<std::string> take_quoted(char quote) {
    const std::size_t begin_line = line_;
    rest_.remove_prefix(1);
    std::string value;
    while (true) {
      if (rest_.empty()) {
        line_ = begin_line;
        return wrong(std::string("a value in ") + quote + " has no end");
      }
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == quote) break;
      if (c == '\n') ++line_;
      if (c == '\\' && quote == '"' && !rest_.empty())
        take_escape(value);
      else if (c != '\r' || !rest_.starts_with('\n'))  // A line's end is a newline.
        value += c;
    }
    skip_blanks();
    if (rest_.starts_with('#')) skip_line();
    if (!at_end_of_line()) return wrong("something follows a value's closing quote");
    return value;
  }

  void take_escape(std::string& value) {
    constexpr std::string_view kEscapes = "nrt\"\\$";
    constexpr std::string_view kMeanings = "\n\r\t\"\\$";
    const std::size_t known = kEscapes.find(rest_.front());
    if (known == std::string_view::npos) {
      value += '\\';  // C:\dir: what follows is taken as it is.
      return;
    }
    value += kMeanings[known];
    rest_.remove_prefix(1);
  }

  std::string_view rest_;
  std::size_t line_ = 1;
};

}  // namespace

Result<std::map<std::string, std::string>> parse_dotenv(std::string_view text) {
  return DotenvParser(text).parse();
}

}  // namespace pmx
