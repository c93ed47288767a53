// A sink's URL in its parts: loki+http://user:password@host:3100/path?tenant=a
//
// Errors: one line that says what is wrong, without the URL: it may have a password in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/sink_spec.h"

namespace pmx::config {

struct SinkUrl {
  std::optional<SinkType> type;  // Of "loki+http://"; nullopt for "http://".
  std::string scheme;            // "http", "https", "file".
  std::string host;              // Lower case; "[::1]" with its brackets.
  std::uint16_t port = 0;        // 0: not given.
  std::string path;              // "/a/b", without a slash at the end; of a file the whole path.
  std::string user, password;    // Decoded.
  std::vector<std::pair<std::string, std::string>> query;  // Decoded, in order.
};

Result<SinkUrl> split_sink_url(std::string_view text);
// A URL as it may be shown: without user, password and query.
std::string shown_url(std::string_view text);
std::optional<SinkType> sink_type_named(std::string_view name);  // "es" and "vl" too.
std::string_view base_name_of_path(std::string_view path);

}  // namespace pmx::config
