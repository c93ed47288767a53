// What a server has answered to one GET, as far as it has come: enough of HTTP/1.1 to tell status
// and body. Pure.
//
// Thread:  any.
// Source:  RFC 9112, sections 4 (status line), 6.3 (where a body ends), 7.1 (chunks).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pmx::supervisor {

struct HttpAnswer {
  enum class Progress : std::uint8_t { kMore, kComplete, kNoHttp, kCutOff };
  Progress progress = Progress::kMore;
  int status = 0;    // 0: not there yet.
  std::string body;  // What there is of it.
};

// `ended`: nothing more comes.
HttpAnswer read_http_answer(std::string_view bytes, bool ended);

}  // namespace pmx::supervisor
