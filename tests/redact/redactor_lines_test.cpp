// A private key over several lines, as programs print it.
#include <gtest/gtest.h>

#include <string>

#include "redact/redactor.h"

namespace pmx::redact {
namespace {

std::unique_ptr<Redactor> builtin() { return std::move(Redactor::create({true, {}, {}})).value(); }

std::string redacted(Redactor& redactor, std::string_view lines) {
  std::string out, scratch;
  redactor.begin_lines();
  for (; !lines.empty(); lines.remove_prefix(lines.find('\n') + 1))
    out += std::string(redactor.redact_line(lines.substr(0, lines.find('\n')), scratch)) + "\n";
  return out;
}

constexpr std::string_view kBody =
    "MIICXAIBAAKBgQC8kGa1pSjbSYZVebtTRBLxBz5H4i2p/llLCrEeQhta5kaQu+R\n"
    "NvuuEzXZvJGNxMPW8qO3XwO3wvxN8Qw==\n";
std::string key(const std::string& kind, std::string_view body = kBody) {
  return "-----BEGIN " + kind + "-----\n" + std::string(body) + "-----END " + kind + "-----\n";
}

TEST(RedactorLinesTest, NothingIsLeftOfAPrivateKeyOverSeveralLines) {
  const auto redactor = builtin();
  for (const char* kind : {"PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY"})
    EXPECT_EQ(redacted(*redactor, "one\n" + key(kind) + "two\n"),
              "one\n[redacted]\n[redacted]\n[redacted]\n[redacted]\ntwo\n")
        << kind;
}

TEST(RedactorLinesTest, HeadersBlankLinesAndAChecksumBelongToAKey) {
  const auto redactor = builtin();
  EXPECT_EQ(
      redacted(*redactor, key("RSA PRIVATE KEY",
                              "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,A1B2\n\nMIIC==\n")),
      "[redacted]\n[redacted]\n[redacted]\n\n[redacted]\n[redacted]\n");
  EXPECT_EQ(redacted(*redactor, key("PGP PRIVATE KEY BLOCK", "Version: x\n\nlQOY\n=Ab1/\n")),
            "[redacted]\n[redacted]\n\n[redacted]\n[redacted]\n[redacted]\n");
}

TEST(RedactorLinesTest, KnowsAKeyInTheMiddleOfWhatNodePrintsOfAnObject) {
  const auto redactor = builtin();
  EXPECT_EQ(redacted(*redactor,
                     "{\n"
                     "  key: '-----BEGIN PRIVATE KEY-----\\n' +\n"
                     "    'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\\n' +\n"
                     "    '-----END PRIVATE KEY-----', url: 'http://a:b@c'\n"
                     "}\n"),
            "{\n  key: '[redacted]\n[redacted]\n[redacted]', url: 'http://a:[redacted]@c'\n}\n");
  EXPECT_EQ(redacted(*redactor, "  -----BEGIN PRIVATE KEY-----\r\n  MIIE\r\nnext line\r\n"),
            "  [redacted]\n[redacted]\nnext line\r\n");
}

TEST(RedactorLinesTest, AKeyWithoutItsEndTakesNoOtherLines) {
  const auto redactor = builtin();
  EXPECT_EQ(redacted(*redactor, "-----BEGIN PRIVATE KEY-----\nMIIE\nlevel=info msg=on\nMIIE\n"),
            "[redacted]\n[redacted]\nlevel=info msg=on\nMIIE\n");
  EXPECT_EQ(redacted(*redactor, R"({"k":"-----BEGIN PRIVATE KEY-----\nMIIE"})"
                                "\nMIIE\n"),
            "{\"k\":\"[redacted]\"}\nMIIE\n");
}

TEST(RedactorLinesTest, CertificatesAndPublicKeysStay) {
  const auto redactor = builtin();
  for (const char* kind : {"CERTIFICATE", "PUBLIC KEY", "PGP SIGNATURE"})
    EXPECT_EQ(redacted(*redactor, key(kind)), key(kind));
  const auto own = std::move(Redactor::create({false, {"BEGIN"}, {}})).value();
  EXPECT_NE(redacted(*own, key("PRIVATE KEY")).find(kBody), std::string::npos);
}

TEST(RedactorLinesTest, LinesAreReadyUpToAKeyWhoseEndIsStillToCome) {
  const auto redactor = builtin();
  const std::string before = "one\ntwo\n", whole = key("RSA PRIVATE KEY");
  std::size_t lines = 0;
  for (std::size_t end = whole.find('\n') + 1;; end = whole.find('\n', end) + 1, ++lines) {
    const std::size_t ready = redactor->ready_bytes(before + whole.substr(0, end));
    if (end == whole.size()) {
      EXPECT_EQ(ready, before.size() + end);
      break;
    }
    EXPECT_EQ(ready, before.size()) << "after line " << lines;
    EXPECT_EQ(redactor->ready_bytes(whole.substr(0, end)), 0U);
  }
  EXPECT_EQ(lines, 3U);
  for (const std::string all : {"", "\n", "MIIE\n", "one two\nMIIE\n", "a b\n",
                                "-----BEGIN PRIVATE KEY-----\nMIIE\nlevel=info on\nMIIE\n"})
    EXPECT_EQ(redactor->ready_bytes(all), all.size()) << all;
}

TEST(RedactorLinesTest, WhatIsTooLongForAKeyIsNotWaitedFor) {
  const auto redactor = builtin();
  std::string lines = "-----BEGIN PRIVATE KEY-----\n";
  while (lines.size() < 60'000) lines += "tick\n";
  EXPECT_EQ(redactor->ready_bytes(lines), 0U);
  while (lines.size() < 70'000) lines += "tick\n";
  EXPECT_EQ(redactor->ready_bytes(lines), lines.size());
}

}  // namespace
}  // namespace pmx::redact
