#include "support/fake_http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/check.h"

namespace pmx::test {
namespace {

// Also against a client that stops in the middle: a test that fails must end.
constexpr timeval kPatience{20, 0};

class PlainChannel final : public FakeHttpServer::Channel {
 public:
  explicit PlainChannel(int fd) : fd_(fd) {}
  std::size_t read(std::span<char> into) override {
    const ssize_t n = ::recv(fd_, into.data(), into.size(), 0);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  bool write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

 private:
  int fd_;
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return out;
}

// Up to and without `end`, which is taken away too; nullopt: it has not come yet.
std::optional<std::string_view> take_until(std::string_view& rest, std::string_view end) {
  const std::size_t at = rest.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at + end.size());
  return taken;
}

std::size_t number(std::string_view text, int base) {
  std::size_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, base);
  PMX_CHECK(result.ec == std::errc());  // The client under test has written nonsense.
  return value;
}

std::optional<FakeHttpServer::Request> read_head(std::string_view& rest) {
  auto head = take_until(rest, "\r\n\r\n");
  if (!head) return std::nullopt;
  const std::string all = std::string(*head) + "\r\n";
  std::string_view lines = all;
  std::string_view first = *take_until(lines, "\r\n");
  FakeHttpServer::Request request;
  request.method = take_until(first, " ").value_or("");
  request.target = take_until(first, " ").value_or("");
  request.version = first;
  while (auto line = take_until(lines, "\r\n")) {
    const std::string name = lower(take_until(*line, ":").value_or(""));
    line->remove_prefix(std::min(line->find_first_not_of(' '), line->size()));
    request.headers[name] = *line;
  }
  return request;
}

std::optional<std::string> read_chunks(std::string_view& rest) {
  std::string body;
  while (auto size_line = take_until(rest, "\r\n")) {
    const std::size_t size = number(*size_line, 16);
    if (rest.size() < size + 2) return std::nullopt;
    body += rest.substr(0, size);
    rest.remove_prefix(size + 2);
    if (size == 0) return body;
  }
  return std::nullopt;
}

std::optional<std::string> read_body(const FakeHttpServer::Request& request,
                                     std::string_view& rest) {
  if (request.headers.contains("transfer-encoding")) return read_chunks(rest);
  const auto length = request.headers.find("content-length");
  const std::size_t size = length == request.headers.end() ? 0 : number(length->second, 10);
  if (rest.size() < size) return std::nullopt;
  std::string body(rest.substr(0, size));
  rest.remove_prefix(size);
  return body;
}

std::string bytes_of(const WireReply& reply) {
  if (reply.kind == WireReply::Kind::kRaw) return reply.body;
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " Status\r\n";
  for (const auto& [name, value] : reply.headers) text += name + ": " + value + "\r\n";
  if (reply.closes || reply.before_body) text += "Connection: close\r\n";
  if (reply.chunked) {
    text += "Transfer-Encoding: chunked\r\n\r\n";
    for (std::string_view rest = reply.body; !rest.empty();) {
      const std::size_t n = std::min<std::size_t>(rest.size(), 1000);
      std::array<char, 16> size;
      const auto end = std::to_chars(size.data(), size.data() + size.size(), n, 16).ptr;
      text.append(size.data(), end).append("\r\n").append(rest.substr(0, n)).append("\r\n");
      rest.remove_prefix(n);
    }
    text += "0\r\n\r\n";
  } else {
    if (reply.status != 204)
      text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    text += "\r\n" + reply.body;
  }
  text.resize(text.size() - std::min(reply.cut_bytes, text.size()));
  return text;
}

}  // namespace

WireReply WireReply::of(int status, std::string body) {
  WireReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

WireReply WireReply::raw(std::string bytes) {
  WireReply reply;
  reply.kind = Kind::kRaw;
  reply.body = std::move(bytes);
  reply.closes = true;
  return reply;
}

WireReply WireReply::reset() {
  WireReply reply;
  reply.kind = Kind::kReset;
  return reply;
}

WireReply WireReply::close() {
  WireReply reply;
  reply.kind = Kind::kClose;
  return reply;
}

WireReply WireReply::stall() {
  WireReply reply;
  reply.kind = Kind::kStall;
  return reply;
}

WireReply WireReply::with(std::string name, std::string value) && {
  headers.emplace_back(std::move(name), std::move(value));
  return std::move(*this);
}

WireReply WireReply::in_chunks() && {
  chunked = true;
  return std::move(*this);
}

WireReply WireReply::early() && {
  before_body = true;
  return std::move(*this);
}

WireReply WireReply::closing() && {
  closes = true;
  return std::move(*this);
}

WireReply WireReply::cut(std::size_t missing_bytes) && {
  cut_bytes = missing_bytes;
  closes = true;
  return std::move(*this);
}

struct FakeHttpServer::Connection {
  Fd fd;
  int number = 0;
  std::unique_ptr<Channel> channel;
  std::string unread;  // Read from the channel, not yet a request.
};

FakeHttpServer::FakeHttpServer()
    : FakeHttpServer([](int fd) { return std::make_unique<PlainChannel>(fd); }) {}

FakeHttpServer::FakeHttpServer(Open open)
    : open_(std::move(open)), loop_(std::move(EventLoop::create().value())) {
  listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  PMX_CHECK(listener_ && ::bind(listener_.get(), raw, size) == 0);
  PMX_CHECK(::listen(listener_.get(), 64) == 0);
  PMX_CHECK(::getsockname(listener_.get(), raw, &size) == 0);
  port_ = ntohs(address.sin_port);
  PMX_CHECK(loop_->watch(listener_.get(), [this] { accept_one(); }).has_value());
  thread_ = std::thread([this] {
    sigset_t pipe;  // A TLS library writes without MSG_NOSIGNAL.
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    loop_->run();
  });
}

FakeHttpServer::~FakeHttpServer() {
  loop_->stop();
  thread_.join();
}

std::string FakeHttpServer::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

FakeHttpServer& FakeHttpServer::answer(WireReply reply) {
  const std::lock_guard lock(mutex_);
  script_.push_back(std::move(reply));
  return *this;
}

void FakeHttpServer::on_request(std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  on_request_ = std::move(callback);
}

std::vector<FakeHttpServer::Request> FakeHttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

int FakeHttpServer::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

void FakeHttpServer::accept_one() {
  auto connection = std::make_unique<Connection>();
  connection->fd = Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection->fd) return;
  const int fd = connection->fd.get();
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  (void)::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  {
    const std::lock_guard lock(mutex_);
    connection->number = ++connections_;
  }
  connection->channel = open_(fd);
  if (!connection->channel) return;
  open_connections_[fd] = std::move(connection);
  PMX_CHECK(loop_->watch(fd, [this, fd] { readable(fd); }).has_value());
}

void FakeHttpServer::drop(int fd, bool reset) {
  const auto found = open_connections_.find(fd);
  if (found == open_connections_.end()) return;
  loop_->unwatch(fd);
  const linger at_once{1, 0};  // Makes close() send a reset.
  if (reset) (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  open_connections_.erase(found);
}

void FakeHttpServer::readable(int fd) {
  Connection& connection = *open_connections_.at(fd);
  std::array<char, 65536> piece;
  do {
    const std::size_t n = connection.channel->read(piece);
    if (n == 0) return drop(fd, false);
    connection.unread.append(piece.data(), n);
  } while (connection.channel->has_more());
  while (open_connections_.contains(fd) && serve(connection)) continue;
}

// False: there is no whole request to serve, or the connection is gone.
bool FakeHttpServer::serve(Connection& connection) {
  std::string_view rest = connection.unread;
  std::optional<Request> request = read_head(rest);
  if (!request) return false;
  request->connection = connection.number;
  bool early = false;
  {
    const std::lock_guard lock(mutex_);
    early = !script_.empty() && script_.front().before_body;
  }
  if (early) return reply_to(connection, false);
  std::optional<std::string> body = read_body(*request, rest);
  if (!body) return false;
  request->body = std::move(*body);
  connection.unread.erase(0, connection.unread.size() - rest.size());
  std::function<void()> tell;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(*request));
    tell = on_request_;
  }
  if (tell) tell();
  return reply_to(connection, true);
}

bool FakeHttpServer::reply_to(Connection& connection, bool body_is_read) {
  WireReply reply;
  {
    const std::lock_guard lock(mutex_);
    if (!script_.empty()) {
      reply = std::move(script_.front());
      script_.pop_front();
    }
  }
  const int fd = connection.fd.get();
  if (reply.kind == WireReply::Kind::kStall) {
    loop_->unwatch(fd);
    return false;
  }
  const bool answers =
      reply.kind == WireReply::Kind::kAnswer || reply.kind == WireReply::Kind::kRaw;
  const bool written = !answers || connection.channel->write(bytes_of(reply));
  if (answers && written && !reply.closes && body_is_read) return true;
  if (answers && !body_is_read) {
    // Lingering, as servers do: a reset because of the unread body would overtake the answer.
    (void)::shutdown(fd, SHUT_WR);
    std::array<char, 65536> ignored;
    while (connection.channel->read(ignored) > 0) continue;
  }
  drop(fd, reply.kind == WireReply::Kind::kReset);
  return false;
}

}  // namespace pmx::test
