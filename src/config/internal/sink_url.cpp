#include "config/internal/sink_url.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/units.h"

namespace pmx::config {
namespace {

struct TypeName {
  std::string_view name;
  SinkType type;
};
constexpr std::array kTypeNames{
    TypeName{"loki", SinkType::kLoki},
    TypeName{"elasticsearch", SinkType::kElasticsearch},
    TypeName{"es", SinkType::kElasticsearch},
    TypeName{"opensearch", SinkType::kOpenSearch},
    TypeName{"victorialogs", SinkType::kVictoriaLogs},
    TypeName{"vl", SinkType::kVictoriaLogs},
    TypeName{"http", SinkType::kHttp},
    TypeName{"file", SinkType::kFile},
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int low = std::tolower(static_cast<unsigned char>(c));
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// %41 is A; in a query + is a space.
Result<std::string> decoded(std::string_view text, bool plus_is_space = false) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return invalid("a % in a URL is followed by two hexadecimal digits (%25 is a % itself)");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

// Takes what is before `mark` off the front; all of it where there is none.
std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return head;
}

Result<void> read_scheme(SinkUrl& url, std::string_view scheme) {
  const std::size_t plus = scheme.find('+');
  const std::string_view store = scheme.substr(0, plus);
  url.scheme = plus == std::string_view::npos ? store : scheme.substr(plus + 1);
  if (url.scheme == "file") url.type = SinkType::kFile;
  if (plus != std::string_view::npos) {
    url.type = sink_type_named(store);
    if (!url.type || *url.type == SinkType::kFile)
      return invalid("\"" + std::string(store) +
                     "\" is no store: loki, elasticsearch (es), opensearch, victorialogs (vl), "
                     "http");
  } else if (const auto named = sink_type_named(scheme);
             named && *named != SinkType::kHttp && *named != SinkType::kFile) {
    return invalid("say how to reach it: " + std::string(scheme) + "+http:// or " +
                   std::string(scheme) + "+https://");
  }
  if (url.scheme != "http" && url.scheme != "https" && url.scheme != "file")
    return invalid("a URL begins with <store>+http://, <store>+https:// or file://");
  return {};
}

Result<void> read_host(SinkUrl& url, std::string_view text) {
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  url.host = text.substr(0, colon);
  for (char& c : url.host) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::string_view allowed = bracket == std::string_view::npos ? "-._" : "[]:.";
  const bool good = std::all_of(url.host.begin(), url.host.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || allowed.find(c) != std::string_view::npos;
  });
  if (url.host.empty()) return invalid("the URL has no host");
  // Neither is shown: a password with a / in it ends up here.
  if (!good) return invalid("the URL's host is none: letters, digits, . - _ or [IPv6]");
  if (colon == std::string_view::npos) return {};
  const Result<std::int64_t> port = parse_integer(text.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535)
    return invalid("the URL's port is none: a number from 1 to 65535");
  url.port = static_cast<std::uint16_t>(*port);
  return {};
}

Result<void> read_authority(SinkUrl& url, std::string_view text) {
  // A password may hold an @ that nobody has encoded: the last one counts.
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    std::string_view known = text.substr(0, at);
    text.remove_prefix(at + 1);
    url.user = PMX_TRY(decoded(take_until(known, ':')));
    url.password = PMX_TRY(decoded(known));
  }
  return read_host(url, text);
}

}  // namespace

std::optional<SinkType> sink_type_named(std::string_view name) {
  const auto* const found = std::find_if(kTypeNames.begin(), kTypeNames.end(),
                                         [&](const TypeName& row) { return row.name == name; });
  return found == kTypeNames.end() ? std::nullopt : std::optional(found->type);
}

std::string_view base_name_of_path(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0.
}

Result<SinkUrl> split_sink_url(std::string_view text) {
  SinkUrl url;
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos)
    return invalid("a sink is a URL, as loki+http://127.0.0.1:3100");
  PMX_TRY(read_scheme(url, text.substr(0, end)));
  std::string_view query = text.substr(end + 3);
  const std::string_view place = take_until(query, '?');
  if (url.scheme == "file") {
    url.path = PMX_TRY(decoded(place));
    if (url.path.empty()) return invalid("file:// needs a path");
  } else {
    const std::size_t slash = place.find('/');
    PMX_TRY(read_authority(url, place.substr(0, slash)));
    if (slash != std::string_view::npos) url.path = place.substr(slash);
    while (url.path.ends_with('/')) url.path.pop_back();
  }
  while (!query.empty()) {
    std::string_view value = take_until(query, '&');
    if (value.empty()) continue;
    std::string name = PMX_TRY(decoded(take_until(value, '='), true));
    url.query.emplace_back(std::move(name), PMX_TRY(decoded(value, true)));
  }
  return url;
}

std::string shown_url(std::string_view text) {
  std::string shown(text.substr(0, text.find('?')));
  const std::size_t scheme = shown.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  // Wherever the authority was meant to end: what is before the last @ may be a password.
  const std::size_t at = shown.rfind('@');
  if (at != std::string::npos && at >= begin) shown.erase(begin, at + 1 - begin);
  return shown;
}

}  // namespace pmx::config
