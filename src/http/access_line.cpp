#include "http/access_line.h"

#include <cstdio>

#include "base/time_text.h"

namespace pmx::http {
namespace {

void append(std::string& out, std::string_view text) {
  if (text.empty()) out += '-';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f && c != '"' && c != '\\') {
      out += c;
      continue;
    }
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned>(byte));
    out += escaped;
  }
}

}  // namespace

std::string access_line(const Access& access) {
  std::string line;
  append(line, access.client);
  line += " - ";
  append(line, access.user);
  line += " [" + access_log_time(access.time_ns) + "] \"";
  append(line, access.method);
  line += ' ';
  append(line, access.target);
  line += ' ';
  append(line, access.version);
  line += "\" " + std::to_string(access.status) + " " + std::to_string(access.size_bytes) + " \"";
  append(line, access.referer);
  line += "\" \"";
  append(line, access.user_agent);
  return line + "\"\n";
}

}  // namespace pmx::http
