// One request as libcurl has it: its handle, its options, what came back.
//
// The body is handed over by a function without a way back (no CURLOPT_POSTFIELDS). With a buffer
// libcurl sends a request again by itself when a kept connection turns out to be dead, also when
// the store has the body already and only its answer is lost. That must be seen above, where it is
// counted; before any byte of the body was sent libcurl may still do it.
//
// Owns:    the easy handle, which must be out of its multi handle before this goes.
// Thread:  the transport's.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "ship/http_transport.h"
#include "ship/internal/curl_errors.h"
#include "ship/internal/curl_library.h"
#include "ship/internal/pinned_certificate.h"

namespace pmx::ship {

// What all requests of a transport have in common. Outlives them.
struct CurlContext {
  CurlLibrary curl;
  SinkTls tls;
  std::string user_agent;
  std::unique_ptr<PinnedCertificate> pinned;  // nullptr: no tls.ca_fingerprint.
};

class CurlRequest {
 public:
  CurlRequest(CurlContext& context, HttpTransport::Id id, HttpRequest request,
              HttpTransport::Done done);
  ~CurlRequest();
  CurlRequest(const CurlRequest&) = delete;
  CurlRequest& operator=(const CurlRequest&) = delete;

  std::string prepare();  // "": it can be started; else why not.
  HttpAnswer answer(CURLcode result);
  static CurlRequest* of(const CurlLibrary& curl, CURL* easy);

  HttpTransport::Id id() const { return id_; }
  HttpTransport::Done take_done() { return std::move(done_); }
  CURL* easy() const { return easy_; }  // nullptr: prepare() has failed early.

 private:
  bool set_up();
  bool set_up_url();
  bool set_up_tls();
  bool set_up_headers();
  HttpAnswer failure(CURLcode result);
  template <class T>
  bool set(CURLoption option, T value) {
    return context_.curl.easy_setopt(easy_, option, value) == CURLE_OK;
  }
  template <class T>
  T info(CURLINFO what) {
    T value{};
    (void)context_.curl.easy_getinfo(easy_, what, &value);
    return value;
  }
  static std::size_t give_body(char* into, std::size_t size, std::size_t count, void* self);
  static std::size_t take_answer(char* bytes, std::size_t size, std::size_t count, void* self);

  CurlContext& context_;
  const HttpTransport::Id id_;
  const HttpRequest request_;
  const UrlParts url_;
  HttpTransport::Done done_;
  CURL* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  curl_slist* connect_to_ = nullptr;
  std::size_t handed_over_bytes_ = 0;  // Of the body, to libcurl.
  std::string answer_body_;
  bool answer_is_cut_ = false;
  std::array<char, CURL_ERROR_SIZE> words_{};
};

}  // namespace pmx::ship
