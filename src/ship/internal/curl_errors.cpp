#include "ship/internal/curl_errors.h"

#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cstring>

namespace pmx::ship {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// An IPv6 address without its brackets.
std::string bare(const std::string& host) {
  return host.starts_with('[') && host.size() > 1 ? host.substr(1, host.size() - 2) : host;
}

std::string seconds(std::chrono::milliseconds time) {
  const auto ms = time.count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

std::string of_certificate(const CurlFailure& failure, const UrlParts& url, const SinkTls& tls) {
  const std::string whose = "certificate of " + url.host_port();
  const long why = failure.verify_result;
  if (why == X509_V_ERR_APPLICATION_VERIFICATION)
    return whose + " is not the one of tls.ca_fingerprint: the server sends SHA-256 " +
           std::string(failure.refused_fingerprints);
  // Trusted, but for another name; OpenSSL's result is not told then.
  if (contains(failure.words, "host name") || contains(failure.words, "common name")) {
    const std::string& name = tls.server_name.empty() ? url.host : tls.server_name;
    return whose + " is not for the name " + name + "; set tls.server_name to a name that it has";
  }
  // libcurl's words end with OpenSSL's reason.
  constexpr std::string_view kBefore = "certificate problem: ";
  const std::size_t at = failure.words.find(kBefore);
  std::string text =
      whose + " is not trusted: " +
      std::string(at == std::string_view::npos ? failure.words
                                               : failure.words.substr(at + kBefore.size()));
  if (why == X509_V_ERR_CERT_HAS_EXPIRED) return text + "; renew it";
  if (why == X509_V_ERR_CERT_NOT_YET_VALID) return text + "; look at this machine's clock";
  if (!tls.ca_fingerprint.empty()) return text;
  return text + (tls.ca_file.empty()
                     ? "; set tls.ca_file or tls.ca_fingerprint"
                     : "; tls.ca_file " + tls.ca_file + " does not have its issuer");
}

std::string of_timeout(const CurlFailure& failure, const UrlParts& url) {
  if (failure.connected) return url.host_port() + ": no answer within " + seconds(failure.timeout);
  if (failure.resolved) return "connect " + url.host_port() + ": timed out";
  return "resolve " + url.host + ": timed out";
}

std::string of_tls(const std::string& where, std::string_view words, const SinkTls& tls) {
  // What OpenSSL says of bytes that are no TLS record at all.
  if (contains(words, "wrong version number") || contains(words, "packet length too long"))
    return where + " does not speak TLS; is it http:// instead of https://?";
  // Alerts 116 and 42, RFC 8446 section 6.2; 40 is how TLS 1.2 says it.
  const bool asks = contains(words, "certificate required") ||
                    contains(words, "alert bad certificate") ||
                    contains(words, "alert handshake failure");
  std::string text = "TLS with " + where + ": " + std::string(words);
  if (asks && tls.certificate_file.empty())
    text += "; it may ask for a client certificate: set tls.certificate_file and tls.key_file";
  return text;
}

std::string of_transfer(const CurlFailure& failure, const std::string& where,
                        std::string_view words, const SinkTls& tls) {
  switch (failure.code) {
    case CURLE_GOT_NOTHING:
      return where + " closed the connection without an answer";
    case CURLE_SEND_FAIL_REWIND:
      return where + " closed the connection during the request";
    case CURLE_PARTIAL_FILE:
      return where + " closed the connection within its answer";
    case CURLE_UNSUPPORTED_PROTOCOL:  // "Received HTTP/0.9 when not allowed": no status line.
    case CURLE_WEIRD_SERVER_REPLY:
      return where + " does not answer as an HTTP server: " + std::string(words);
    case CURLE_BAD_CONTENT_ENCODING:
      return where + ": its answer cannot be decoded: " + std::string(words);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      // TLS 1.3 tells a client only after the handshake that its certificate was not good enough.
      if (contains(words, "alert")) return of_tls(where, words, tls);
      if (failure.sys_errno != 0) return where + ": " + std::strerror(failure.sys_errno);
      break;
    default:
      break;
  }
  return where + ": " + std::string(words);
}

std::string sentence(const CurlFailure& failure, std::string_view words, const UrlParts& url,
                     const SinkTls& tls) {
  const std::string where = url.host_port();
  switch (failure.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "resolve " + url.host + ": no such host; look at the URL and at this machine's DNS";
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "resolve the proxy of " + where + ": " + std::string(words) +
             "; look at https_proxy and http_proxy in the daemon's environment";
    case CURLE_COULDNT_CONNECT:
      // libcurl names whom it called: the proxy, where there is one.
      if (failure.sys_errno != 0 && contains(words, "to " + bare(url.host) + " port " + url.port))
        return "connect " + where + ": " + std::strerror(failure.sys_errno);
      return "connect " + where + ": " + std::string(words);
    case CURLE_OPERATION_TIMEDOUT:
      return of_timeout(failure, url);
    case CURLE_PEER_FAILED_VERIFICATION:
      return of_certificate(failure, url, tls);
    case CURLE_SSL_CACERT_BADFILE:
      if (tls.ca_file.empty())
        return "this machine has no list of trusted authorities: install the package "
               "ca-certificates, or set tls.ca_file";
      return "tls.ca_file " + tls.ca_file + " cannot be read or is no PEM certificate";
    case CURLE_SSL_CERTPROBLEM:
      return "tls.certificate_file " + tls.certificate_file + " with tls.key_file " + tls.key_file +
             ": " + std::string(words);
    case CURLE_SSL_CONNECT_ERROR:
      return of_tls(where, words, tls);
    default:
      return of_transfer(failure, where, words, tls);
  }
}

}  // namespace

UrlParts split_url(std::string_view url) {
  UrlParts parts;
  const std::size_t scheme_end = url.find("://");
  if (scheme_end != std::string_view::npos) {
    parts.scheme = url.substr(0, scheme_end);
    url.remove_prefix(scheme_end + 3);
  }
  const std::size_t host_end = std::min(url.find_first_of("/?#"), url.size());
  parts.rest = url.substr(host_end);
  std::string_view host = url.substr(0, host_end);
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos)
    host.remove_prefix(at + 1);  // Never to be shown.
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && host.find(']', colon) == host.npos;
  parts.host = host.substr(0, has_port ? colon : host.size());
  if (has_port) parts.port = host.substr(colon + 1);
  if (parts.port.empty()) parts.port = parts.scheme == "https" ? "443" : "80";
  return parts;
}

std::string explain(const CurlFailure& failure, const UrlParts& url, const SinkTls& tls) {
  std::string text = sentence(failure, failure.words, url, tls);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

}  // namespace pmx::ship
