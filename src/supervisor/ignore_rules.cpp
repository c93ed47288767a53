// Globs become regular expressions, so that there is one matcher, linear in the path whatever a
// pattern says; fnmatch(3) has no ** and takes any pattern for one.
#include "supervisor/ignore_rules.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/path.h"

namespace pmx::supervisor {
namespace {

enum class Kind : std::uint8_t { kName, kPath, kGlob, kExpression };

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

// Between two slashes with none in between that ends it, as JavaScript reads one: /var/log/ is a
// path.
bool is_expression(std::string_view entry) {
  if (entry.size() < 3 || entry.front() != '/' || entry.back() != '/') return false;
  bool in_class = false;
  for (std::size_t i = 1; i + 1 < entry.size(); ++i) {
    if (entry[i] == '\\') {
      if (++i + 1 == entry.size()) return false;  // The last slash is escaped.
    } else if (entry[i] == '[' || entry[i] == ']') {
      in_class = entry[i] == '[';
    } else if (entry[i] == '/' && !in_class) {
      return false;
    }
  }
  return true;
}

Kind kind_of(std::string_view entry) {
  if (is_expression(entry)) return Kind::kExpression;
  if (entry.find_first_of("*?[{") != std::string_view::npos) return Kind::kGlob;
  if (entry.find('/') != std::string_view::npos || entry == "." || entry == "..")
    return Kind::kPath;
  return Kind::kName;
}

std::string without_slashes_at_end(std::string_view entry) {
  while (entry.size() > 1 && entry.back() == '/') entry.remove_suffix(1);
  return std::string(entry);
}

// "[!a-c]" at `at` → "[^/a-c]", with `at` behind it; nullopt: it does not end.
std::optional<std::string> class_of(std::string_view glob, std::size_t& at) {
  std::string out = "[";
  ++at;
  if (at < glob.size() && (glob[at] == '!' || glob[at] == '^')) {
    out += "^/";
    ++at;
  }
  for (bool first = true; at < glob.size(); ++at, first = false) {
    if (glob[at] == ']' && !first) {
      ++at;
      return out + "]";
    }
    if (glob[at] == '[' || glob[at] == ']' || glob[at] == '\\' || glob[at] == '^') out += '\\';
    out += glob[at];
  }
  return std::nullopt;
}

// "**/" and "**" at `at`, or one star.
std::string stars_of(std::string_view glob, std::size_t& at) {
  const bool two = glob.substr(at, 2) == "**";
  at += two ? 2 : 1;
  if (!two) return "[^/]*";
  if (at >= glob.size() || glob[at] != '/') return ".*";
  ++at;
  return "(?:.*/)?";
}

Result<std::string> expression_of_glob(std::string_view glob) {
  std::string out;
  int braces = 0;
  for (std::size_t at = 0; at < glob.size();) {
    const char c = glob[at];
    if (c == '*') {
      out += stars_of(glob, at);
      continue;
    }
    if (c == '[') {
      const auto characters = class_of(glob, at);
      if (!characters) return invalid("its [ has no ]");
      out += *characters;
      continue;
    }
    ++at;
    if (c == '?') {
      out += "[^/]";
    } else if (c == '\\' && at < glob.size()) {
      out += RE2::QuoteMeta(std::string(1, glob[at++]));
    } else if (c == '{') {
      ++braces;
      out += "(?:";
    } else if (c == '}' && braces > 0) {
      --braces;
      out += ")";
    } else if (c == ',' && braces > 0) {
      out += "|";
    } else {
      out += RE2::QuoteMeta(std::string(1, c));
    }
  }
  if (braces > 0) return invalid("its { has no }");
  return out;
}

RE2::Options options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_encoding(RE2::Options::EncodingLatin1);  // A path is bytes.
  return options;
}

}  // namespace

struct IgnoreRules::Pattern {
  enum class Of : std::uint8_t { kRelative, kAbsolute, kLastName };
  Pattern(const std::string& text, Of what) : expression(text, options()), of(what) {}
  RE2 expression;
  Of of;
};

namespace {

Result<std::string> pattern_text(const std::string& entry) {
  if (kind_of(entry) == Kind::kExpression) return entry.substr(1, entry.size() - 2);
  std::string_view glob = entry;
  while (glob.starts_with("./")) glob.remove_prefix(2);
  return "^(?:" + PMX_TRY(expression_of_glob(without_slashes_at_end(glob))) + ")$";
}

}  // namespace

Result<void> IgnoreRules::check(const std::string& entry) {
  const auto refused = [&entry](const std::string& why) {
    return invalid("\"" + entry + "\" is no name, path, glob or /regular expression/: " + why);
  };
  if (entry.empty()) return refused("it is empty");
  if (entry.find('\0') != std::string::npos) return refused("it has a NUL");
  if (entry.front() == '!') return refused("there are no exceptions with !");
  if (const Kind kind = kind_of(entry); kind == Kind::kName || kind == Kind::kPath) return {};
  const auto text = pattern_text(entry);
  if (!text) return refused(text.error().message());
  const RE2 compiled(*text, options());
  if (!compiled.ok()) return refused(compiled.error());
  return {};
}

IgnoreRules::IgnoreRules(const std::vector<std::string>& entries, std::string cwd)
    : cwd_(std::move(cwd)) {
  for (const std::string& entry : entries) {
    if (!check(entry)) continue;
    switch (kind_of(entry)) {
      case Kind::kName:
        names_.push_back(entry);
        break;
      case Kind::kPath: {
        const std::string plain = without_slashes_at_end(entry);
        if (plain.find('/') == std::string::npos && plain.front() != '.')
          names_.push_back(plain);  // "logs/"
        else
          add_path(absolute_path(cwd_, plain));
        break;
      }
      case Kind::kGlob: {
        const bool one_name = without_slashes_at_end(entry).find('/') == std::string::npos;
        const auto of = entry.front() == '/' ? Pattern::Of::kAbsolute
                        : one_name           ? Pattern::Of::kLastName
                                             : Pattern::Of::kRelative;
        patterns_.push_back(std::make_unique<Pattern>(*pattern_text(entry), of));
        break;
      }
      case Kind::kExpression:
        patterns_.push_back(
            std::make_unique<Pattern>(*pattern_text(entry), Pattern::Of::kRelative));
        break;
    }
  }
}

IgnoreRules::~IgnoreRules() = default;
IgnoreRules::IgnoreRules(IgnoreRules&&) noexcept = default;
IgnoreRules& IgnoreRules::operator=(IgnoreRules&&) noexcept = default;

void IgnoreRules::add_path(std::string path) { paths_.push_back(std::move(path)); }

bool IgnoreRules::is_below_listed_path(std::string_view path) const {
  return std::any_of(paths_.begin(), paths_.end(),
                     [path](const std::string& listed) { return is_below(listed, path); });
}

bool IgnoreRules::matches(const std::string& path, std::string_view relative) const {
  for (std::string_view rest = relative; !rest.empty();) {
    const std::size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    if (name.starts_with('.') || name == "node_modules") return true;
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) return true;
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  }
  if (is_below_listed_path(path)) return true;
  if (relative.empty()) return false;  // A root is there because it was asked for by its name.
  // A root that is outside of cwd has no path relative to it.
  const std::string_view shown = is_below(cwd_, path) ? relative_to(cwd_, path) : relative;
  const std::string_view last = base_name(relative);
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const auto& pattern) {
    const std::string_view text = pattern->of == Pattern::Of::kAbsolute   ? path
                                  : pattern->of == Pattern::Of::kLastName ? last
                                                                          : shown;
    return RE2::PartialMatch(piece(text), pattern->expression);
  });
}

bool is_below(std::string_view directory, std::string_view path) {
  if (directory == "/") return path.starts_with('/');
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

std::string_view relative_to(std::string_view directory, std::string_view path) {
  if (!is_below(directory, path)) return path;
  path.remove_prefix(directory == "/" ? 1 : directory.size());
  if (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

}  // namespace pmx::supervisor
