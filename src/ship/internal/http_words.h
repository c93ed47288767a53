// What all stores behind HTTP have in common: credentials, and what a bare status means.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/sink_spec.h"
#include "ship/http_transport.h"
#include "ship/sink.h"

namespace pmx::ship::internal {

// A POST to `url` with the spec's timeout, User-Agent, Authorization and own headers (which come
// last, and replace those of the same name).
HttpRequest make_request(const SinkSpec& spec, const std::string& secret, std::string url);
void set_header(HttpRequest& request, std::string_view name, std::string value);

// "429: ingestion rate limit exceeded": the status and the body's words as one line of at most
// 400 bytes; for status 0 what went wrong.
std::string words_of(const HttpAnswer& answer);

// Each of `count` items is refused with these words.
Verdict refuse_all(const HttpAnswer& answer, std::size_t count);
// It cannot be said which: halves, and what is alone is refused.
Verdict split_or_refuse(const HttpAnswer& answer, std::size_t count);
Verdict retry(const HttpAnswer& answer, bool backpressure);
Verdict blocked(const HttpAnswer& answer);

// By the status alone, for stores that store all of a request or nothing. 2xx is delivered.
//   0          retry; patience only where it had left (a timeout): refused connections are no load
//   408 425 429, 5xx but 501 and 505      retry with patience
//   413        split          400 422     split, and what is alone is refused
//   all else   blocked: somebody has to change a setting, here or there
Verdict judge_status(const HttpAnswer& answer, std::size_t count);

}  // namespace pmx::ship::internal
