// tls.ca_fingerprint: the server's chain must lead to the certificate with this SHA-256, whoever
// else is trusted on this machine.
//
// Owns:    the fingerprint and pointers into libcurl's OpenSSL. Outlives every connection that
//          apply() was called for. Thread: the one libcurl runs on.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ship/internal/curl_library.h"

namespace pmx::ship {

class PinnedCertificate {
 public:
  using Fingerprint = std::array<unsigned char, 32>;
  // 64 hex digits, with or without colons, as openssl and Elasticsearch print them.
  static Result<Fingerprint> parse(std::string_view text);
  // kNotFound: this libcurl does not use OpenSSL.
  static Result<std::unique_ptr<PinnedCertificate>> create(const CurlLibrary& curl,
                                                           std::string_view fingerprint);
  ~PinnedCertificate();

  void apply(void* ssl_ctx);  // An SSL_CTX of a connection that is about to be made.
  // Fingerprints that the server sent where none was the pinned one, for people; "": not yet.
  const std::string& refused() const { return refused_; }

 private:
  struct OpenSsl;
  PinnedCertificate(Fingerprint pinned, std::unique_ptr<OpenSsl> ssl);
  int verify(void* store_context);

  const Fingerprint pinned_;
  std::unique_ptr<OpenSsl> ssl_;
  std::string refused_;
};

}  // namespace pmx::ship
