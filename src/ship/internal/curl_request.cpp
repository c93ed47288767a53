#include "ship/internal/curl_request.h"

#include <strings.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/sys.h"

namespace pmx::ship {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{10'000};
constexpr std::chrono::seconds kMaxRetryAfter{3600};

// libcurl 7.88 makes its sockets without SOCK_CLOEXEC.
int close_on_exec(void* /*user*/, curl_socket_t fd, curlsocktype /*purpose*/) {
  (void)sys::set_close_on_exec(fd, true);
  return CURL_SOCKOPT_OK;
}

CURLcode pin(CURL* /*easy*/, void* ssl_ctx, void* pinned) {
  static_cast<PinnedCertificate*>(pinned)->apply(ssl_ctx);
  return CURLE_OK;
}

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

}  // namespace

CurlRequest::CurlRequest(CurlContext& context, HttpTransport::Id id, HttpRequest request,
                         HttpTransport::Done done)
    : context_(context),
      id_(id),
      request_(std::move(request)),
      url_(split_url(request_.url)),
      done_(std::move(done)) {}

CurlRequest::~CurlRequest() {
  if (easy_ != nullptr) context_.curl.easy_cleanup(easy_);
  context_.curl.slist_free_all(headers_);
  context_.curl.slist_free_all(connect_to_);
}

CurlRequest* CurlRequest::of(const CurlLibrary& curl, CURL* easy) {
  char* self = nullptr;
  (void)curl.easy_getinfo(easy, CURLINFO_PRIVATE, &self);
  return reinterpret_cast<CurlRequest*>(self);
}

std::size_t CurlRequest::give_body(char* into, std::size_t size, std::size_t count, void* self) {
  auto& request = *static_cast<CurlRequest*>(self);
  const std::string& body = request.request_.body;
  const std::size_t n = std::min(size * count, body.size() - request.handed_over_bytes_);
  std::memcpy(into, body.data() + request.handed_over_bytes_, n);
  request.handed_over_bytes_ += n;
  return n;
}

std::size_t CurlRequest::take_answer(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto& request = *static_cast<CurlRequest*>(self);
  std::string& body = request.answer_body_;
  const std::size_t n = std::min(size * count, kMaxAnswerBytes - body.size());
  body.append(bytes, n);
  request.answer_is_cut_ = n < size * count;
  return n;  // Less than was given ends the transfer: nobody waits for the rest of such an answer.
}

std::string CurlRequest::prepare() {
  for (const auto& [name, value] : request_.headers)
    if (has_line_break(name) || has_line_break(value))
      return "header " + name.substr(0, name.find_first_of("\r\n")) + " has a line break";
  easy_ = context_.curl.easy_init();
  if (easy_ == nullptr) return "libcurl is out of memory";
  // A check that cannot be set must not be left out.
  if (!set_up_tls()) return "this libcurl cannot do what tls asks for: install libcurl4";
  if (!set_up() || !set_up_url() || !set_up_headers())
    return "libcurl does not take the request to " + url_.host_port();
  return "";
}

bool CurlRequest::set_up() {
  // Not needed to be right, and older versions do not know all of them. QUICK_EXIT: a name that is
  // being looked up is not waited for when its request is over (a resolver may take half a minute).
  (void)set(CURLOPT_PROTOCOLS_STR, "http,https");
  (void)set(CURLOPT_QUICK_EXIT, 1L);
  (void)set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  (void)set(CURLOPT_ACCEPT_ENCODING, "gzip");

  bool good = true;
  if (request_.method == "GET" && request_.body.empty()) {
    good = set(CURLOPT_HTTPGET, 1L);
  } else {
    good = set(CURLOPT_POST, 1L) &&
           set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    if (request_.method != "POST")
      good = good && set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  const auto total_ms = static_cast<long>(std::max<std::int64_t>(1, request_.timeout.count()));
  const auto connect_ms = std::min(total_ms, static_cast<long>(kConnectTimeout.count()));
  return good && set(CURLOPT_READFUNCTION, &give_body) && set(CURLOPT_READDATA, this) &&
         set(CURLOPT_WRITEFUNCTION, &take_answer) && set(CURLOPT_WRITEDATA, this) &&
         set(CURLOPT_SOCKOPTFUNCTION, &close_on_exec) && set(CURLOPT_ERRORBUFFER, words_.data()) &&
         set(CURLOPT_PRIVATE, this) && set(CURLOPT_NOSIGNAL, 1L) &&
         set(CURLOPT_FOLLOWLOCATION, 0L) && set(CURLOPT_CONNECTTIMEOUT_MS, connect_ms) &&
         set(CURLOPT_TIMEOUT_MS, total_ms) && set(CURLOPT_USERAGENT, context_.user_agent.c_str());
}

bool CurlRequest::set_up_url() {
  const std::string& name = context_.tls.server_name;
  if (url_.scheme != "https" || name.empty()) return set(CURLOPT_URL, request_.url.c_str());
  // The URL says whom to ask for and to check, connect_to where that is.
  const std::string url = "https://" + name + ":" + url_.port + url_.rest;
  const std::string row = name + ":" + url_.port + ":" + url_.host_port();
  connect_to_ = context_.curl.slist_append(nullptr, row.c_str());
  return connect_to_ != nullptr && set(CURLOPT_CONNECT_TO, connect_to_) &&
         set(CURLOPT_URL, url.c_str());
}

bool CurlRequest::set_up_tls() {
  const SinkTls& tls = context_.tls;
  bool good = set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!tls.certificate_file.empty())
    good = good && set(CURLOPT_SSLCERT, tls.certificate_file.c_str());
  if (!tls.key_file.empty()) good = good && set(CURLOPT_SSLKEY, tls.key_file.c_str());
  if (tls.insecure)
    return good && set(CURLOPT_SSL_VERIFYPEER, 0L) && set(CURLOPT_SSL_VERIFYHOST, 0L);
  if (context_.pinned)  // Nobody else is trusted, and the machine's list need not even be there.
    return good && set(CURLOPT_CAINFO, nullptr) && set(CURLOPT_CAPATH, nullptr) &&
           set(CURLOPT_SSL_CTX_FUNCTION, &pin) && set(CURLOPT_SSL_CTX_DATA, context_.pinned.get());
  if (tls.ca_file.empty()) return good;
  return good && set(CURLOPT_CAINFO, tls.ca_file.c_str()) && set(CURLOPT_CAPATH, nullptr);
}

bool CurlRequest::set_up_headers() {
  // No waiting for "100 Continue", which many stores never send, and no form's content type.
  std::vector<std::string> lines{"Expect:"};
  bool has_type = false;
  for (const auto& [name, value] : request_.headers) {
    // "Name:" would take a header away; "Name;" is how libcurl is told to send an empty one.
    lines.push_back(value.empty() ? name + ";" : name + ": " + value);
    has_type = has_type || ::strcasecmp(name.c_str(), "content-type") == 0;
  }
  if (!has_type) lines.emplace_back("Content-Type:");
  for (const std::string& line : lines) {
    curl_slist* longer = context_.curl.slist_append(headers_, line.c_str());
    if (longer == nullptr) return false;
    headers_ = longer;
  }
  return set(CURLOPT_HTTPHEADER, headers_);
}

HttpAnswer CurlRequest::answer(CURLcode result) {
  const auto status = static_cast<int>(info<long>(CURLINFO_RESPONSE_CODE));
  // A refusal is one even where its words got lost on the way, as when a store closes the
  // connection on a body that it finds too large. Of a success the words may matter (bulk).
  const bool answered = result == CURLE_OK || answer_is_cut_ || status >= 400;
  if (!answered || status < 200) return failure(result);
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::move(answer_body_);
  const std::chrono::seconds wait(info<curl_off_t>(CURLINFO_RETRY_AFTER));
  if (wait.count() > 0) answer.retry_after = std::min(wait, kMaxRetryAfter);
  return answer;
}

HttpAnswer CurlRequest::failure(CURLcode result) {
  CurlFailure failure;
  failure.code = result;
  failure.words = words_.data();
  if (failure.words.empty()) failure.words = context_.curl.easy_strerror(result);
  failure.sys_errno = static_cast<int>(info<long>(CURLINFO_OS_ERRNO));
  failure.verify_result = info<long>(CURLINFO_SSL_VERIFYRESULT);
  failure.resolved = info<curl_off_t>(CURLINFO_NAMELOOKUP_TIME_T) > 0;
  failure.connected = info<curl_off_t>(CURLINFO_PRETRANSFER_TIME_T) > 0;
  failure.timeout = request_.timeout;
  if (context_.pinned) failure.refused_fingerprints = context_.pinned->refused();
  HttpAnswer answer;
  answer.error = explain(failure, url_, context_.tls);
  // Body bytes are asked for when the socket takes them. libcurl's own count of those that left
  // (CURLINFO_SIZE_UPLOAD_T) begins anew where it tried to send them again.
  answer.sent =
      request_.body.empty() ? info<long>(CURLINFO_REQUEST_SIZE) > 0 : handed_over_bytes_ > 0;
  return answer;
}

}  // namespace pmx::ship
