#include "ship/internal/http_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <utility>

namespace pmx::ship::internal {
namespace {

constexpr std::size_t kMaxWordsBytes = 400;

std::string base64(std::string_view bytes) {  // RFC 4648 section 4.
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t here = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t three = 0;
    for (std::size_t i = 0; i < 3; ++i)
      three = (three << 8U) | (i < here ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      out += i <= here ? kLetters[(three >> (18 - 6 * i)) & 63U] : '=';
  }
  return out;
}

bool same_name(std::string_view a, std::string_view b) {  // RFC 9110 section 5.1: no case.
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

std::string authorization(const SinkAuth& auth, const std::string& secret) {
  switch (auth.kind) {
    case SinkAuth::Kind::kBasic:
      return "Basic " + base64(auth.user + ":" + secret);
    case SinkAuth::Kind::kBearer:
      return "Bearer " + secret;
    case SinkAuth::Kind::kApiKey:
      return "ApiKey " + secret;
    case SinkAuth::Kind::kNone:
      break;
  }
  return "";
}

Verdict of_kind(Verdict::Kind kind, const HttpAnswer& answer) {
  Verdict verdict;
  verdict.kind = kind;
  verdict.why = words_of(answer);
  verdict.retry_after = answer.retry_after;
  return verdict;
}

}  // namespace

HttpRequest make_request(const SinkSpec& spec, const std::string& secret, std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  request.timeout = spec.timeout;
  set_header(request, "User-Agent", "pmx/" PMX_VERSION);
  if (auto value = authorization(spec.auth, secret); !value.empty())
    set_header(request, "Authorization", std::move(value));
  for (const auto& [name, value] : spec.headers) set_header(request, name, value);
  return request;
}

void set_header(HttpRequest& request, std::string_view name, std::string value) {
  const auto same = [&](const auto& header) { return same_name(header.first, name); };
  const auto at = std::find_if(request.headers.begin(), request.headers.end(), same);
  if (at != request.headers.end())
    at->second = std::move(value);
  else
    request.headers.emplace_back(name, std::move(value));
}

std::string words_of(const HttpAnswer& answer) {
  if (answer.status == 0) return answer.error.empty() ? "no answer" : answer.error;
  std::string words = std::to_string(answer.status);
  std::string_view body = answer.body;
  body = body.substr(0, body.find_last_not_of(" \r\n\t") + 1);
  if (body.empty()) return words;
  words += ": ";
  for (const char byte : body) {
    if (words.size() >= kMaxWordsBytes && (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U)
      return words + " …";  // Not inside a UTF-8 sequence.
    const bool blank = static_cast<unsigned char>(byte) <= ' ';
    if (!blank || words.back() != ' ') words += blank ? ' ' : byte;
  }
  return words;
}

Verdict refuse_all(const HttpAnswer& answer, std::size_t count) {
  Verdict verdict = of_kind(Verdict::Kind::kItems, answer);
  verdict.items.assign(count, {ItemVerdict::Kind::kRefused, answer.status, verdict.why});
  return verdict;
}

Verdict split_or_refuse(const HttpAnswer& answer, std::size_t count) {
  return count > 1 ? of_kind(Verdict::Kind::kSplit, answer) : refuse_all(answer, count);
}

Verdict retry(const HttpAnswer& answer, bool backpressure) {
  Verdict verdict = of_kind(Verdict::Kind::kRetry, answer);
  verdict.backpressure = backpressure;
  return verdict;
}

Verdict blocked(const HttpAnswer& answer) { return of_kind(Verdict::Kind::kBlocked, answer); }

Verdict judge_status(const HttpAnswer& answer, std::size_t count) {
  const int status = answer.status;
  if (status == 0) return retry(answer, answer.sent);
  if (status >= 200 && status < 300) return {};
  if (status == 408 || status == 425 || status == 429) return retry(answer, true);
  if (status == 400 || status == 413 || status == 422) return split_or_refuse(answer, count);
  if (status >= 500 && status != 501 && status != 505) return retry(answer, true);
  return blocked(answer);
}

}  // namespace pmx::ship::internal
