#include "supervisor/http_answer.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace pmx::supervisor {
namespace {

using Progress = HttpAnswer::Progress;

constexpr std::string_view kVersion = "HTTP/1.", kLineEnd = "\r\n", kHeadEnd = "\r\n\r\n";
constexpr std::size_t kStatusLineBytes = 12;  // "HTTP/1.1 200"
constexpr int kNoContent = 204, kNotModified = 304;

template <class Number>
std::optional<Number> number_at(std::string_view text, int base) {
  Number number{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (failed != std::errc() || end == text.data()) return std::nullopt;
  return number;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// Of a head in small letters; "" where it has none.
std::string_view field(std::string_view head, std::string_view name) {
  const std::size_t at = head.find(name);
  if (at == std::string_view::npos) return {};
  std::string_view value = head.substr(at + name.size());
  value = value.substr(0, value.find(kLineEnd));
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  return value;
}

Progress read_chunks(std::string_view bytes, std::string& body) {
  for (;;) {
    const std::size_t line = bytes.find(kLineEnd);
    if (line == std::string_view::npos) return Progress::kMore;
    const auto size = number_at<std::uint32_t>(bytes.substr(0, line), 16);
    if (!size) return Progress::kNoHttp;
    if (*size == 0) return Progress::kComplete;
    bytes.remove_prefix(line + kLineEnd.size());
    body += bytes.substr(0, *size);
    if (bytes.size() < *size + kLineEnd.size()) return Progress::kMore;
    bytes.remove_prefix(*size + kLineEnd.size());
  }
}

// nullopt: it ends with the connection.
std::optional<Progress> read_body(const std::string& head, std::string_view bytes,
                                  HttpAnswer& answer) {
  if (answer.status == kNoContent || answer.status == kNotModified) return Progress::kComplete;
  if (field(head, "\r\ntransfer-encoding:").ends_with("chunked"))
    return read_chunks(bytes, answer.body);
  const auto length = number_at<std::uint64_t>(field(head, "\r\ncontent-length:"), 10);
  answer.body = bytes.substr(0, length.value_or(bytes.size()));
  if (!length) return std::nullopt;
  return bytes.size() >= *length ? Progress::kComplete : Progress::kMore;
}

}  // namespace

HttpAnswer read_http_answer(std::string_view bytes, bool ended) {
  HttpAnswer answer;
  const auto unfinished = [&] {
    answer.progress = ended ? Progress::kCutOff : Progress::kMore;
    return answer;
  };
  for (;;) {
    const bool begins = bytes.substr(0, kVersion.size()) == kVersion.substr(0, bytes.size());
    const std::size_t end = bytes.find(kHeadEnd);
    if (begins && end == std::string_view::npos) return unfinished();
    const auto status = begins && bytes.size() >= kStatusLineBytes
                            ? number_at<int>(bytes.substr(kVersion.size() + 2, 3), 10)
                            : std::nullopt;
    if (!status || *status < 100) {
      answer.progress = Progress::kNoHttp;
      return answer;
    }
    const std::string head = lower(bytes.substr(0, end + kLineEnd.size()));
    bytes.remove_prefix(end + kHeadEnd.size());
    if (*status < 200) continue;  // 103 Early Hints and the like: the answer comes after it.
    answer.status = *status;
    const std::optional<Progress> progress = read_body(head, bytes, answer);
    answer.progress = progress.value_or(ended ? Progress::kComplete : Progress::kMore);
    return answer.progress == Progress::kMore ? unfinished() : answer;
  }
}

}  // namespace pmx::supervisor
