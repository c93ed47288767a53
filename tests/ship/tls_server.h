// Certificates made on the spot, and what makes a FakeHttpServer speak TLS with them.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "support/fake_http_server.h"

namespace pmx::test {

struct OpenSslFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* connection) const { SSL_free(connection); }
};
template <class T>
using OpenSslPtr = std::unique_ptr<T, OpenSslFree>;

// With its key. Signed by `issuer`, or by itself.
class Certificate {
 public:
  struct Wish {
    std::string common_name;
    std::string names;  // "IP:127.0.0.1,DNS:es.internal"; "": a certificate authority.
    const Certificate* issuer = nullptr;
    int days = 2;  // From an hour ago; less than 0: it has expired.
  };
  explicit Certificate(const Wish& wish) : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    static long serial = 0;  // An issuer must not use one twice.
    X509* made = certificate_.get();
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made), wish.days < 0 ? -30L * 86400 : -3600);
    X509_gmtime_adj(X509_getm_notAfter(made), 86400L * wish.days);
    X509_set_pubkey(made, key_.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1,
                               -1, 0);
    const Certificate& issuer = wish.issuer != nullptr ? *wish.issuer : *this;
    X509_set_issuer_name(made, X509_get_subject_name(issuer.get()));
    extend(issuer, NID_basic_constraints, wish.names.empty() ? "critical,CA:TRUE" : "CA:FALSE");
    if (!wish.names.empty()) extend(issuer, NID_subject_alt_name, wish.names.c_str());
    PMX_CHECK(X509_sign(made, issuer.key(), EVP_sha256()) > 0);
  }

  X509* get() const { return certificate_.get(); }
  EVP_PKEY* key() const { return key_.get(); }
  void save(const std::string& certificate_path, const std::string& key_path = "") const {
    const auto write = [](const std::string& path, const auto& writer) {
      const std::unique_ptr<FILE, int (*)(FILE*)> file(::fopen(path.c_str(), "w"), ::fclose);
      PMX_CHECK(file && writer(file.get()) == 1);
    };
    write(certificate_path, [this](FILE* file) { return PEM_write_X509(file, get()); });
    if (key_path.empty()) return;
    write(key_path, [this](FILE* file) {
      return PEM_write_PrivateKey(file, key(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  // SHA-256 in lower case; `between` is put between its bytes.
  std::string fingerprint(std::string_view between = "") const {
    unsigned char bytes[32];
    unsigned size = 0;
    PMX_CHECK(X509_digest(get(), EVP_sha256(), bytes, &size) == 1 && size == sizeof bytes);
    std::string text;
    for (const unsigned char byte : bytes) {
      if (!text.empty()) text += between;
      for (const int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
    }
    return text;
  }

 private:
  void extend(const Certificate& issuer, int what, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer.get(), get(), nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value);
    PMX_CHECK(extension != nullptr && X509_add_ext(get(), extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }

  OpenSslPtr<EVP_PKEY> key_;
  OpenSslPtr<X509> certificate_;
};

// A close with bytes unread is a reset, which would overtake what was said last.
inline void read_to_the_end(int fd) {
  ::shutdown(fd, SHUT_WR);
  char ignored[4096];
  while (::recv(fd, ignored, sizeof ignored, 0) > 0) continue;
}

class TlsServer {
 public:
  // Sends `leaf` and then `others`. `client_issuer`: clients must have a certificate of its.
  explicit TlsServer(const Certificate& leaf, std::vector<const Certificate*> others = {},
                     const Certificate* client_issuer = nullptr)
      : context_(SSL_CTX_new(TLS_server_method())),
        server_([this](int fd) { return shake_hands(fd); }) {
    PMX_CHECK(SSL_CTX_use_certificate(context_.get(), leaf.get()) == 1);
    PMX_CHECK(SSL_CTX_use_PrivateKey(context_.get(), leaf.key()) == 1);
    for (const Certificate* other : others)
      PMX_CHECK(SSL_CTX_add1_chain_cert(context_.get(), other->get()) == 1);
    SSL_CTX_set_alpn_select_cb(context_.get(), &TlsServer::choose_protocol, this);
    if (client_issuer == nullptr) return;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), client_issuer->get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }

  FakeHttpServer& http() { return server_; }
  std::string host_port() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  std::string url() const { return "https://" + host_port() + "/"; }
  std::string offered_protocols() const {  // "h2 http/1.1 ".
    const std::lock_guard lock(mutex_);
    return offered_;
  }
  std::string asked_name() const {  // SNI of the last connection.
    const std::lock_guard lock(mutex_);
    return asked_name_;
  }

 private:
  class Channel final : public FakeHttpServer::Channel {
   public:
    explicit Channel(OpenSslPtr<SSL> ssl) : ssl_(std::move(ssl)) {}
    std::size_t read(std::span<char> into) override {
      const int n = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
      return n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    bool has_more() override { return SSL_pending(ssl_.get()) > 0; }
    bool write(std::string_view bytes) override {
      return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
    }

   private:
    OpenSslPtr<SSL> ssl_;
  };

  std::unique_ptr<FakeHttpServer::Channel> shake_hands(int fd) {
    OpenSslPtr<SSL> ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) != 1) {
      read_to_the_end(fd);
      return nullptr;
    }
    const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
    const std::lock_guard lock(mutex_);
    asked_name_ = name != nullptr ? name : "";
    return std::make_unique<Channel>(std::move(ssl));
  }
  static int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned in_size, void* self) {
    auto& server = *static_cast<TlsServer*>(self);
    const std::lock_guard lock(server.mutex_);
    server.offered_.clear();
    for (unsigned at = 0; at < in_size; at += in[at] + 1U) {
      const std::string name(reinterpret_cast<const char*>(in) + at + 1, in[at]);
      server.offered_ += name + " ";
      if (name != "http/1.1") continue;
      *out = in + at + 1;
      *out_size = in[at];
    }
    return SSL_TLSEXT_ERR_OK;
  }

  mutable std::mutex mutex_;
  std::string offered_, asked_name_;
  OpenSslPtr<SSL_CTX> context_;
  FakeHttpServer server_;  // Last: its thread uses the others.
};

}  // namespace pmx::test
