// CurlTransport against real TLS.
#include <gtest/gtest.h>

#include <cctype>
#include <string>

#include "ship/curl_transport.h"
#include "ship/internal/pinned_certificate.h"
#include "ship/tls_server.h"
#include "ship/transport_client.h"
#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

using test::Certificate;
using test::TlsServer;
using test::TransportClient;

constexpr const char* kHere = "IP:127.0.0.1";

class CurlTlsTest : public testing::Test {
 protected:
  CurlTlsTest() { authority_.save(ca_file_); }

  // One request; the client is new each time, so that it makes a connection of its own.
  HttpAnswer post(const TlsServer& server, const SinkTls& tls) {
    return TransportClient(tls).post(server.url());
  }
  SinkTls trusting_ca() const {
    SinkTls tls;
    tls.ca_file = ca_file_;
    return tls;
  }
  static SinkTls pinning(std::string fingerprint) {
    SinkTls tls;
    tls.ca_fingerprint = std::move(fingerprint);
    return tls;
  }
  // Nothing of the request may leave before the certificate is found good.
  void expect_refused(TlsServer& server, const SinkTls& tls, const std::string& error) {
    const HttpAnswer answer = post(server, tls);
    EXPECT_EQ(answer.status, 0);
    EXPECT_EQ(answer.error, error);
    EXPECT_FALSE(answer.sent);
    EXPECT_TRUE(server.http().requests().empty());
  }

  test::TempDir dir_;
  const std::string ca_file_ = dir_ / "ca.pem";
  Certificate authority_{{"authority", "", nullptr}};
  Certificate leaf_{{"store", kHere, &authority_}};
};

TEST_F(CurlTlsTest, TrustsWhatTheCaFileTrustsAndOffersHttp2) {
  TlsServer server(leaf_);
  TransportClient client(trusting_ca());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.post(server.url()).status, 204);
  EXPECT_EQ(server.http().connections(), 1);
  EXPECT_EQ(server.offered_protocols(), "h2 http/1.1 ");
}

TEST_F(CurlTlsTest, SaysWhatToSetWhereACertificateIsNotTrusted) {
  TlsServer server(leaf_, {&authority_});
  expect_refused(server, {},
                 "certificate of " + server.host_port() +
                     " is not trusted: self-signed certificate in certificate chain; "
                     "set tls.ca_file or tls.ca_fingerprint");
  const Certificate other({"other", "", nullptr});
  other.save(ca_file_);
  expect_refused(server, trusting_ca(),
                 "certificate of " + server.host_port() +
                     " is not trusted: self-signed certificate in certificate chain; tls.ca_file " +
                     ca_file_ + " does not have its issuer");
}

TEST_F(CurlTlsTest, RefusesACertificateThatHasExpired) {
  const Certificate old({"store", kHere, &authority_, -1});
  TlsServer server(old, {&authority_});
  const std::string error =
      "certificate of " + server.host_port() + " is not trusted: certificate has expired; renew it";
  expect_refused(server, trusting_ca(), error);
  expect_refused(server, pinning(authority_.fingerprint()), error);
}

TEST_F(CurlTlsTest, RefusesACertificateForAnotherName) {
  const Certificate elsewhere({"store", "DNS:es.internal", &authority_});
  TlsServer server(elsewhere, {&authority_});
  const std::string error = "certificate of " + server.host_port() +
                            " is not for the name 127.0.0.1; "
                            "set tls.server_name to a name that it has";
  expect_refused(server, trusting_ca(), error);
  expect_refused(server, pinning(authority_.fingerprint()), error);
}

TEST_F(CurlTlsTest, AsksForTheServerNameAtTheUrlsHost) {
  const Certificate elsewhere({"store", "DNS:es.internal", &authority_});
  TlsServer server(elsewhere, {&authority_});
  SinkTls tls = trusting_ca();
  tls.server_name = "es.internal";
  EXPECT_EQ(post(server, tls).error, "");
  EXPECT_EQ(server.asked_name(), "es.internal");
  EXPECT_EQ(server.http().requests().at(0).headers.at("host"),
            "es.internal:" + std::to_string(server.http().port()));
  tls.server_name = "es.elsewhere";
  EXPECT_EQ(post(server, tls).error, "certificate of " + server.host_port() +
                                         " is not for the name es.elsewhere; "
                                         "set tls.server_name to a name that it has");
}

TEST_F(CurlTlsTest, TrustsTheCertificateWithTheFingerprint) {
  TlsServer server(leaf_, {&authority_});
  std::string upper = authority_.fingerprint(":");
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  for (const std::string& fingerprint : {authority_.fingerprint(), upper, leaf_.fingerprint()})
    EXPECT_EQ(post(server, pinning(fingerprint)).status, 204) << fingerprint;
  const Certificate alone({"alone", kHere, nullptr});
  TlsServer self_signed(alone);
  EXPECT_EQ(post(self_signed, pinning(alone.fingerprint())).error, "");
}

TEST_F(CurlTlsTest, TrustsNobodyElseThanTheFingerprint) {
  TlsServer server(leaf_, {&authority_});
  SinkTls tls = pinning(std::string(64, 'a'));
  tls.ca_file = ca_file_;
  expect_refused(server, tls,
                 "certificate of " + server.host_port() +
                     " is not the one of tls.ca_fingerprint: the server sends SHA-256 " +
                     leaf_.fingerprint() + ", " + authority_.fingerprint());
}

TEST_F(CurlTlsTest, ACertificateThatIsOnlySentAlongProvesNothing) {
  const Certificate impostor({"store", kHere, nullptr});
  const Certificate false_authority({"authority", "", nullptr});
  const Certificate of_false_authority({"store", kHere, &false_authority});
  for (const Certificate* leaf : {&impostor, &of_false_authority}) {
    TlsServer server(*leaf, {&authority_});
    const HttpAnswer answer = post(server, pinning(authority_.fingerprint()));
    EXPECT_EQ(answer.error.find("certificate of " + server.host_port() + " is not trusted: "), 0U)
        << answer.error;
    EXPECT_FALSE(answer.sent);
    EXPECT_TRUE(server.http().requests().empty());
  }
}

TEST_F(CurlTlsTest, ChecksNothingWhereItIsToldSo) {
  const Certificate wrong({"wrong", "DNS:elsewhere", nullptr, -1});
  TlsServer server(wrong);
  SinkTls tls;
  tls.insecure = true;
  EXPECT_EQ(post(server, tls).status, 204);
}

TEST_F(CurlTlsTest, ShowsItsCertificateToAServerThatAsks) {
  TlsServer server(leaf_, {}, &authority_);
  SinkTls tls = trusting_ca();
  const HttpAnswer refused = post(server, tls);
  EXPECT_EQ(refused.status, 0);
  EXPECT_NE(refused.error.find("set tls.certificate_file and tls.key_file"), std::string::npos)
      << refused.error;
  EXPECT_EQ(refused.error.find("TLS with " + server.host_port() + ": "), 0U) << refused.error;
  const Certificate client({"client", "DNS:client", &authority_});
  tls.certificate_file = dir_ / "client.pem";
  tls.key_file = dir_ / "client.key";
  client.save(tls.certificate_file, tls.key_file);
  EXPECT_EQ(post(server, tls).error, "");
  EXPECT_EQ(server.http().requests().size(), 1U);
}

TEST_F(CurlTlsTest, NamesTheFileThatCannotBeUsed) {
  TlsServer server(leaf_);
  SinkTls tls;
  tls.ca_file = dir_ / "nowhere.pem";
  expect_refused(server, tls,
                 "tls.ca_file " + tls.ca_file + " cannot be read or is no PEM certificate");
  tls = trusting_ca();
  tls.certificate_file = dir_ / "nowhere.pem";
  tls.key_file = dir_ / "nowhere.key";
  const std::string error = post(server, tls).error;
  EXPECT_EQ(error.find("tls.certificate_file " + tls.certificate_file + " with tls.key_file " +
                       tls.key_file + ": "),
            0U)
      << error;
}

TEST_F(CurlTlsTest, NoticesAServerThatSpeaksNoTls) {
  test::FakeHttpServer plain([](int fd) {
    constexpr std::string_view kAnswer = "HTTP/1.1 400 Bad Request\r\n\r\n";
    EXPECT_EQ(::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL), 28);
    test::read_to_the_end(fd);
    return nullptr;
  });
  const std::string where = "127.0.0.1:" + std::to_string(plain.port());
  const HttpAnswer answer = TransportClient().post("https://" + where + "/");
  EXPECT_EQ(answer.error, where + " does not speak TLS; is it http:// instead of https://?");
}

TEST(PinnedCertificateTest, TakesOnlyAWholeFingerprint) {
  const std::string good(64, '0');
  EXPECT_TRUE(PinnedCertificate::parse(good));
  for (const std::string& bad :
       {std::string(), good.substr(1), good + "0", "g" + good.substr(1), " " + good})
    EXPECT_FALSE(PinnedCertificate::parse(bad)) << bad;
  const auto loop = std::move(EventLoop::create().value());
  SinkTls tls;
  tls.ca_fingerprint = "ab:cd";
  const auto failed = CurlTransport::create(*loop, tls, "pmx/test");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(),
            "tls.ca_fingerprint \"ab:cd\" is no SHA-256: 64 hex digits, with or without colons");
}

}  // namespace
}  // namespace pmx::ship
