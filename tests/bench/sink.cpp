// A store that only reads: what the bench ships to, so that no store's own work is in the figures.
//
//   bench_sink <port> [--keep <file>]
//
// HTTP/1.1 on 127.0.0.1, keep-alive, bodies by Content-Length; 204 for Loki's push, 200 for all
// else. One thread, each body read and dropped. With --keep, each body that a push brings is
// appended to the file as a line "<bytes>" and the bytes themselves. Ends at SIGTERM or SIGINT and
// prints what came: {"requests":…,"body_bytes":…}.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

struct Counts {
  std::uint64_t requests = 0;
  std::uint64_t body_bytes = 0;
};

struct Connection {
  std::string head;        // Of the request that is being read, until it is whole.
  std::string body;        // Filled only where bodies are kept.
  std::uint64_t left = 0;  // Bytes of the body that are still to come.
  bool in_body = false;
  bool push = false;
};

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The value of a header in a head in lower case; empty where it is not there.
std::string_view header(std::string_view head, std::string_view name) {
  const std::size_t at = head.find(name);
  if (at == std::string_view::npos) return {};
  head.remove_prefix(at + name.size());
  head = head.substr(0, head.find("\r\n"));
  head.remove_prefix(std::min(head.find_first_not_of(' '), head.size()));
  return head;
}

bool send_all(int fd, std::string_view bytes) {
  return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

class Sink {
 public:
  explicit Sink(File keep) : keep_(std::move(keep)) {}

  const Counts& counts() const { return counts_; }

  // Takes bytes of a connection; false: it is of no use any more.
  bool take(int fd, Connection& connection, std::string_view bytes) {
    while (!bytes.empty()) {
      if (!connection.in_body) {
        if (!take_head(fd, connection, bytes)) return false;
      } else {
        take_body(connection, bytes);
      }
      if (connection.in_body && connection.left == 0 && !answer(fd, connection)) return false;
    }
    return true;
  }

 private:
  static bool take_head(int fd, Connection& connection, std::string_view& bytes) {
    const std::size_t had = connection.head.size();
    connection.head += bytes;
    const std::size_t end = connection.head.find("\r\n\r\n", had < 3 ? 0 : had - 3);
    if (end == std::string::npos) {
      bytes = {};
      return true;
    }
    bytes.remove_prefix(end + 4 - had);
    connection.head.resize(end + 2);
    std::transform(connection.head.begin(), connection.head.end(), connection.head.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    connection.left = number(header(connection.head, "\r\ncontent-length:"));
    connection.push = connection.head.find("/loki/api/v1/push ") != std::string::npos;
    connection.in_body = true;
    return header(connection.head, "\r\nexpect:") != "100-continue" ||
           send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n");
  }

  void take_body(Connection& connection, std::string_view& bytes) {
    const std::size_t n = std::min<std::uint64_t>(bytes.size(), connection.left);
    if (keep_) connection.body += bytes.substr(0, n);
    counts_.body_bytes += n;
    connection.left -= n;
    bytes.remove_prefix(n);
  }

  bool answer(int fd, Connection& connection) {
    ++counts_.requests;
    if (keep_ && connection.push) {
      std::fprintf(keep_.get(), "%zu\n", connection.body.size());
      std::fwrite(connection.body.data(), 1, connection.body.size(), keep_.get());
    }
    const bool push = connection.push;
    connection = {};
    return send_all(fd, push ? "HTTP/1.1 204 No Content\r\n\r\n"
                             : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  }

  Counts counts_;
  File keep_;
};

int listen_on(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 64) != 0) {
    return -1;
  }
  return fd;
}

int signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return ::signalfd(-1, &set, SFD_CLOEXEC);
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void serve(Sink& sink, int listener, int ends) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener);
  watch(epoll, ends);
  std::map<int, Connection> connections;
  std::string buffer(1 << 20, '\0');
  while (true) {
    epoll_event event{};
    if (::epoll_wait(epoll, &event, 1, -1) != 1) continue;
    const int fd = event.data.fd;
    if (fd == ends) return;
    if (fd == listener) {
      const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) continue;
      const int on = 1;
      ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(epoll, accepted);
      connections[accepted] = {};
      continue;
    }
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n > 0 && sink.take(fd, connections[fd], {buffer.data(), static_cast<std::size_t>(n)})) {
      continue;
    }
    connections.erase(fd);
    ::close(fd);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && !(argc == 4 && std::string_view(argv[2]) == "--keep")) {
    std::fputs("bench_sink <port> [--keep <file>]\n", stderr);
    return 2;
  }
  const int ends = signals();
  const int listener = listen_on(static_cast<std::uint16_t>(number(argv[1])));
  if (ends < 0 || listener < 0) {
    std::perror("bench_sink");
    return 1;
  }
  Sink sink(File(argc == 4 ? std::fopen(argv[3], "wbe") : nullptr, &std::fclose));
  serve(sink, listener, ends);
  std::printf("{\"requests\":%llu,\"body_bytes\":%llu}\n",
              static_cast<unsigned long long>(sink.counts().requests),
              static_cast<unsigned long long>(sink.counts().body_bytes));
  return 0;
}
