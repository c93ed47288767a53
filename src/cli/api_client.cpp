// libcurl would do this too, at 4.4 ms of start-up and 6 MB a command: as much as all the rest of
// `pmx list`.
#include "cli/api_client.h"

#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "base/sys.h"
#include "base/units.h"

namespace pmx::cli {
namespace {

constexpr std::size_t kLargestResponseBytes = 256U
                                              << 20U;  // 1,000 workers with large environments.
constexpr int kMostAttempts = 20;  // A daemon that dies at each request is not asked for ever.

std::string request_text(std::string_view method, std::string_view path, const std::string& body) {
  std::string text(method);
  text += " ";
  text += path;
  // 1.0: the answer comes in one piece that ends with the connection, never in chunks.
  text += " HTTP/1.0\r\nHost: pmx\r\nConnection: close\r\n";
  if (method == "POST")
    text +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + body;
}

struct Sent {
  std::size_t bytes = 0;
  Result<void> result;
};

// send() and not write(): a daemon that dies now must not end us by SIGPIPE.
Sent send_all(int fd, std::string_view text) {
  Sent sent;
  while (sent.bytes < text.size()) {
    const ssize_t n = ::send(fd, text.data() + sent.bytes, text.size() - sent.bytes, MSG_NOSIGNAL);
    if (n >= 0) {
      sent.bytes += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      sent.result = system_error(errno, "send", "pmx.sock");
      return sent;
    }
  }
  return sent;
}

// Value of a header, without a care for its letters' case; "" where it is missing.
std::string_view header(std::string_view head, std::string_view name) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  std::size_t begin = head.find("\r\n");
  while (begin != std::string_view::npos) {
    const std::size_t end = head.find("\r\n", begin + 2);
    const std::string_view line =
        head.substr(begin + 2, end == std::string_view::npos ? end : end - begin - 2);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        std::equal(name.begin(), name.end(), line.begin(), same)) {
      std::string_view value = line.substr(name.size() + 1);
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      return value;
    }
    begin = end;
  }
  return {};
}

}  // namespace

Result<Json> parse_response(std::string_view response) {
  const std::size_t end = response.find("\r\n\r\n");
  if (end == std::string_view::npos)
    return Error(Errc::kUnavailable, "the daemon went away before it answered");
  const std::string_view head = response.substr(0, end);
  const std::string_view body = response.substr(end + 4);
  const Result<std::int64_t> length = parse_integer(header(head, "content-length"));
  if (length && static_cast<std::int64_t>(body.size()) < *length)
    return Error(Errc::kUnavailable, "the daemon went away while it answered");
  const std::size_t space = head.find(' ');
  const Result<std::int64_t> status =
      parse_integer(space == std::string_view::npos ? head : head.substr(space + 1, 3));
  if (!head.starts_with("HTTP/1.") || !status)
    return corrupt("what listens on pmx.sock does not speak HTTP");
  Result<Json> json = body.empty() ? Result<Json>(Json()) : Json::parse(body);
  if (*status >= 400) {
    std::string reason = json ? (*json)["error"].as_string() : "";
    if (reason.empty()) reason = "the daemon answered with status " + std::to_string(*status);
    if (*status == 404) return Error(Errc::kNotFound, std::move(reason));
    // 503: this daemon ends, and the next one takes the socket over.
    return Error(*status == 503 ? Errc::kUnavailable : Errc::kRejected, std::move(reason));
  }
  if (!json) return corrupt("the daemon's answer is no JSON: " + json.error().message());
  return json;
}

std::string version_of(std::string_view response) {
  constexpr std::string_view kProduct = "pmx/";
  const std::string_view server = header(response.substr(0, response.find("\r\n\r\n")), "server");
  return std::string(server.starts_with(kProduct) ? server.substr(kProduct.size()) : "");
}

bool ApiClient::running() const { return sys::connect_unix(home_ + "/pmx.sock").has_value(); }

Result<Fd> ApiClient::connect() {
  const std::string path = home_ + "/pmx.sock";
  Result<Fd> first = sys::connect_unix(path);
  if (first) return first;
  // A full queue means that somebody is there: a second keeper would be turned away by the lock.
  const int why = first.error().sys_errno();
  if (why != ENOENT && why != ECONNREFUSED) return first;
  if (!start_) return Error(Errc::kUnavailable, "no daemon runs in " + home_);
  PMX_TRY(start_());
  return sys::connect_unix(path);
}

Result<Json> ApiClient::ask(std::string_view method, std::string_view path, const std::string& body,
                            Changes changes) {
  const std::string text = request_text(method, path, body);
  const bool repeatable = changes == Changes::kNothing;
  for (int attempt = 1;; ++attempt) {
    const Fd fd = PMX_TRY(connect());
    const Sent sent = send_all(fd.get(), text);
    // Even of a request that was not taken whole there may be an answer: "too large".
    const Result<std::string> response = sys::read_all(fd.get(), kLargestResponseBytes);
    if (response) daemon_version_ = version_of(*response);
    Result<Json> answer = response ? parse_response(*response) : Result<Json>(response.error());
    if (answer || answer.error().code() == Errc::kRejected || attempt == kMostAttempts)
      return answer;
    const bool cut_off = !response || answer.error().code() == Errc::kUnavailable;
    // A POST whose end never left this process cannot have been acted on.
    if (!cut_off || !(repeatable || sent.bytes < text.size())) return answer;
  }
}

Result<Json> ApiClient::get(std::string_view path) {
  return ask("GET", path, "", Changes::kNothing);
}

Result<Json> ApiClient::look_up(std::string_view path, const Json& body) {
  return ask("POST", path, body.dump(), Changes::kNothing);
}

Result<Json> ApiClient::post(std::string_view path, const Json& body) {
  Result<Json> answer = ask("POST", path, body.dump(), Changes::kSomething);
  if (answer || answer.error().code() != Errc::kUnavailable) return answer;
  return std::move(answer).error().within(
      "it is not known whether this was done, look at `pmx list`");
}

}  // namespace pmx::cli
