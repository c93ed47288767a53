// What went wrong with a request, in one line for people: where, what, and what to do about it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "model/sink_spec.h"
#include "ship/internal/curl_library.h"

namespace pmx::ship {

// The parts of an http or https URL. Ports are always there.
struct UrlParts {
  std::string scheme, host, port;  // An IPv6 host keeps its brackets.
  std::string rest;                // Path and query.
  std::string host_port() const { return host + ":" + port; }
};
UrlParts split_url(std::string_view url);

struct CurlFailure {
  CURLcode code = CURLE_OK;
  std::string_view words;  // CURLOPT_ERRORBUFFER; "": libcurl said nothing.
  int sys_errno = 0;       // CURLINFO_OS_ERRNO.
  long verify_result = 0;  // CURLINFO_SSL_VERIFYRESULT: OpenSSL's X509_V_ERR_….
  bool resolved = false, connected = false;
  std::chrono::milliseconds timeout{0};
  std::string_view refused_fingerprints;  // PinnedCertificate::refused().
};
std::string explain(const CurlFailure& failure, const UrlParts& url, const SinkTls& tls);

}  // namespace pmx::ship
