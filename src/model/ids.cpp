#include "model/ids.h"

#include <cstdio>

namespace pmx {

std::string LogId::hex() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

LogId log_id_of(std::string_view active_path) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : active_path) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return {hash};
}

}  // namespace pmx
