// When is the certificate looked at? Not after the connection is made (CURLINFO_CERTINFO): by then
// the request, with its credentials, has been sent. libcurl's own pin (CURLOPT_PINNEDPUBLICKEY) is
// of the leaf's key only, and Elasticsearch prints the fingerprint of its CA. So OpenSSL asks us
// within the handshake, by the callback that replaces its own check of the chain.
//
// That one of the certificates sent has the fingerprint proves nothing: a CA's certificate is
// public, and anybody can send it along. It is made the only trusted one, and then OpenSSL checks
// as ever that the leaf descends from it, dates and constraints included; that the name fits,
// libcurl checks before it sends anything.
//
// The functions are taken from the OpenSSL that libcurl has itself loaded, which costs nothing.
// Linked, it would double the CPU of a command's start (an empty program: 1.8 ms, with libssl and
// libcrypto 3.4 ms, 0.7 MB PSS more), and could be another version than libcurl's.
#include "ship/internal/pinned_certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <algorithm>

namespace pmx::ship {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string hex(const PinnedCertificate::Fingerprint& bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace

// clang-format off
#define PMX_SSL_FUNCTIONS(X) \
  X(SSL_CTX_set_cert_verify_callback) X(X509_STORE_CTX_get0_untrusted) \
  X(X509_STORE_CTX_set0_trusted_stack) X(X509_STORE_CTX_set_flags) \
  X(X509_STORE_CTX_set_error) X(X509_verify_cert) X(X509_digest) X(EVP_sha256) \
  X(OPENSSL_sk_num) X(OPENSSL_sk_value) X(OPENSSL_sk_new_null) X(OPENSSL_sk_push) \
  X(OPENSSL_sk_free) X(ERR_clear_error)
// clang-format on

struct PinnedCertificate::OpenSsl {
#define PMX_SSL_POINTER(name) decltype(&::name) name##_ = nullptr;
  PMX_SSL_FUNCTIONS(PMX_SSL_POINTER)
#undef PMX_SSL_POINTER
};

Result<PinnedCertificate::Fingerprint> PinnedCertificate::parse(std::string_view text) {
  Fingerprint bytes{};
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == ':') continue;
    const int value = hex_digit(c);
    if (value < 0 || digits == 2 * bytes.size()) {
      digits = 0;
      break;
    }
    unsigned char& byte = bytes[digits / 2];
    byte = static_cast<unsigned char>(byte << 4U | value);
    ++digits;
  }
  if (digits != 2 * bytes.size())
    return invalid("tls.ca_fingerprint \"" + std::string(text) +
                   "\" is no SHA-256: 64 hex digits, with or without colons");
  return bytes;
}

Result<std::unique_ptr<PinnedCertificate>> PinnedCertificate::create(const CurlLibrary& curl,
                                                                     std::string_view fingerprint) {
  const Fingerprint pinned = PMX_TRY(parse(fingerprint));
  auto ssl = std::make_unique<OpenSsl>();
#define PMX_SSL_LOAD(name)                                                     \
  ssl->name##_ = reinterpret_cast<decltype(ssl->name##_)>(curl.symbol(#name)); \
  if (ssl->name##_ == nullptr)                                                 \
    return Error(Errc::kNotFound,                                              \
                 "tls.ca_fingerprint needs a libcurl with OpenSSL 3 (Debian: libcurl4)");
  PMX_SSL_FUNCTIONS(PMX_SSL_LOAD)
#undef PMX_SSL_LOAD
  return std::unique_ptr<PinnedCertificate>(new PinnedCertificate(pinned, std::move(ssl)));
}

PinnedCertificate::PinnedCertificate(Fingerprint pinned, std::unique_ptr<OpenSsl> ssl)
    : pinned_(pinned), ssl_(std::move(ssl)) {}
PinnedCertificate::~PinnedCertificate() = default;

void PinnedCertificate::apply(void* ssl_ctx) {
  ssl_->SSL_CTX_set_cert_verify_callback_(
      static_cast<SSL_CTX*>(ssl_ctx),
      [](X509_STORE_CTX* context, void* self) {
        return static_cast<PinnedCertificate*>(self)->verify(context);
      },
      this);
}

int PinnedCertificate::verify(void* store_context) {
  auto* context = static_cast<X509_STORE_CTX*>(store_context);
  // All that the server sent, the leaf first (ssl_verify_cert_chain in OpenSSL's ssl_cert.c).
  const auto* sent =
      reinterpret_cast<const OPENSSL_STACK*>(ssl_->X509_STORE_CTX_get0_untrusted_(context));
  std::string fingerprints;
  for (int i = 0; i < ssl_->OPENSSL_sk_num_(sent); ++i) {
    void* certificate = ssl_->OPENSSL_sk_value_(sent, i);
    Fingerprint its{};
    unsigned size = 0;
    if (ssl_->X509_digest_(static_cast<X509*>(certificate), ssl_->EVP_sha256_(), its.data(),
                           &size) != 1)
      continue;
    if (its != pinned_) {
      fingerprints += (fingerprints.empty() ? "" : ", ") + hex(its);
      continue;
    }
    OPENSSL_STACK* trusted = ssl_->OPENSSL_sk_new_null_();
    int verified = 0;
    if (trusted != nullptr && ssl_->OPENSSL_sk_push_(trusted, certificate) > 0) {
      ssl_->X509_STORE_CTX_set0_trusted_stack_(context, reinterpret_cast<STACK_OF(X509)*>(trusted));
      // The pinned one may be an intermediate, or the leaf itself.
      ssl_->X509_STORE_CTX_set_flags_(context, X509_V_FLAG_PARTIAL_CHAIN);
      verified = ssl_->X509_verify_cert_(context);
      ssl_->X509_STORE_CTX_set0_trusted_stack_(context, nullptr);
    }
    ssl_->OPENSSL_sk_free_(trusted);
    // The first of the queue would be libcurl's message; the reason is in the context.
    ssl_->ERR_clear_error_();
    return verified > 0 ? 1 : 0;
  }
  refused_ = fingerprints;
  ssl_->X509_STORE_CTX_set_error_(context, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

}  // namespace pmx::ship
