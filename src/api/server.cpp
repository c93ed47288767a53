// libmicrohttpd without threads of its own: its epoll descriptor becomes readable when there is
// something to do, MHD_run() does it, and MHD_get_timeout() says when it wants to run again anyway
// (a connection's idle timeout: none, where there are no connections, so an idle daemon is not
// woken).
//
// An answer that comes later: the connection is suspended, which takes it out of the epoll set; the
// answer resumes it, MHD calls the handler once more, and that queues what is ready by then.
#include "api/server.h"

#include <unistd.h>

#include <set>
#include <string_view>
#include <utility>

#include "api/internal/http_library.h"
#include "base/sys.h"

namespace pmx::api {
namespace {

// One request, from its first header to its answer. Shared by MHD (through its per-request pointer)
// and by whoever will answer: either may be gone first.
struct Exchange : std::enable_shared_from_this<Exchange> {
  MHD_Connection* connection = nullptr;  // nullptr: MHD is done with it.
  Request request;
  bool too_large = false;
  bool asked = false;  // The handler has been called.
  bool suspended = false;
  bool answered = false;
  Response response;
};

class HttpServer final : public Server {
 public:
  HttpServer(EventLoop& loop, HttpLibrary http, Handler handler)
      : loop_(loop), http_(http), handler_(std::move(handler)) {}
  ~HttpServer() override;
  Result<void> start(Fd listener);

 private:
  using Exchanges = std::set<std::shared_ptr<Exchange>>;

  static MHD_Result on_access(void* self, MHD_Connection* connection, const char* url,
                              const char* method, const char* version, const char* upload,
                              std::size_t* upload_bytes, void** exchange);
  static void on_completed(void* self, MHD_Connection* connection, void** exchange,
                           MHD_RequestTerminationCode how);
  MHD_Result begin(MHD_Connection* connection, const char* url, const char* method,
                   void** exchange);
  MHD_Result ask(Exchange& exchange);
  void answer(const std::shared_ptr<Exchange>& exchange, Response response);
  MHD_Result send(Exchange& exchange) const;
  bool may_ask(MHD_Connection* connection) const;
  void run();
  void run_soon();

  EventLoop& loop_;
  const HttpLibrary http_;
  Handler handler_;
  MHD_Daemon* daemon_ = nullptr;
  int epoll_fd_ = -1;  // MHD's.
  EventLoop::TimerId timer_ = 0;
  bool completed_ = false;  // A connection ended in this run of MHD.
  Exchanges exchanges_;
  // Answers may come after us: they look here first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

bool HttpServer::may_ask(MHD_Connection* connection) const {
  const MHD_ConnectionInfo* const info =
      http_.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  if (info == nullptr) return false;
  const auto peer = sys::peer_credentials(info->connect_fd);
  return peer && (peer->uid == ::geteuid() || peer->uid == 0);
}

void keep_quiet(void*, const char*, va_list) {}  // A client that goes away is no news.

Result<void> HttpServer::start(Fd listener) {
  const MHD_FLAG flags = static_cast<MHD_FLAG>(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME);
  const int fd = listener.get();
  daemon_ =
      http_.start_daemon(flags, 0, nullptr, nullptr, &HttpServer::on_access, this,
                         MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, kMaxConnections,
                         MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(kIdleTimeout.count()),
                         MHD_OPTION_NOTIFY_COMPLETED, &HttpServer::on_completed, this,
                         MHD_OPTION_EXTERNAL_LOGGER, &keep_quiet, nullptr, MHD_OPTION_END);
  if (daemon_ == nullptr) return system_error(errno, "start the HTTP server");
  (void)listener.release();  // MHD's now; quiesce gives it back.
  const MHD_DaemonInfo* const info = http_.get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  if (info == nullptr) return Error(Errc::kIo, "the HTTP server has no epoll descriptor");
  epoll_fd_ = info->epoll_fd;
  PMX_TRY(loop_.watch(epoll_fd_, [this] { run(); }));
  run();
  return {};
}

HttpServer::~HttpServer() {
  *alive_ = false;
  loop_.cancel(timer_);
  if (daemon_ == nullptr) return;
  if (epoll_fd_ >= 0) loop_.unwatch(epoll_fd_);
  // MHD does not stop with a suspended connection.
  for (const auto& exchange : Exchanges(exchanges_))
    if (exchange->suspended)
      answer(exchange, error_response(MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is ending"));
  http_.run(daemon_);
  // Not shut down by MHD: other holders of the socket go on listening.
  const Fd listener(http_.quiesce_daemon(daemon_));
  http_.stop_daemon(daemon_);
}

void HttpServer::run() {
  http_.run(daemon_);
  loop_.cancel(std::exchange(timer_, 0));
  // Out of descriptors MHD stops to listen until a connection is gone, and takes that up only when
  // it is run once more, for which nothing would wake us.
  if (std::exchange(completed_, false)) return run_soon();
  MHD_UNSIGNED_LONG_LONG wait_ms = 0;
  if (http_.get_timeout(daemon_, &wait_ms) != MHD_YES) return;
  timer_ = loop_.call_after(std::chrono::milliseconds(wait_ms), [this] {
    timer_ = 0;
    run();
  });
}

void HttpServer::run_soon() {
  loop_.cancel(timer_);
  timer_ = loop_.call_after(std::chrono::nanoseconds(0), [this] {
    timer_ = 0;
    run();
  });
}

MHD_Result HttpServer::on_access(void* self, MHD_Connection* connection, const char* url,
                                 const char* method, const char*, const char* upload,
                                 std::size_t* upload_bytes, void** slot) {
  auto* const server = static_cast<HttpServer*>(self);
  if (*slot == nullptr) return server->begin(connection, url, method, slot);
  auto* const exchange = static_cast<Exchange*>(*slot);
  if (*upload_bytes > 0) {
    if (exchange->request.body.size() + *upload_bytes > kMaxBodyBytes) {
      exchange->too_large = true;
      exchange->request.body.clear();
    } else if (!exchange->too_large) {
      exchange->request.body.append(upload, *upload_bytes);
    }
    *upload_bytes = 0;
    return MHD_YES;
  }
  return server->ask(*exchange);
}

MHD_Result HttpServer::begin(MHD_Connection* connection, const char* url, const char* method,
                             void** slot) {
  auto exchange = std::make_shared<Exchange>();
  exchange->connection = connection;
  exchange->request.method = method;
  exchange->request.path = url;
  *slot = exchange.get();
  exchanges_.insert(std::move(exchange));
  return MHD_YES;
}

MHD_Result HttpServer::ask(Exchange& exchange) {
  exchange.suspended = false;
  if (exchange.answered) return send(exchange);
  if (exchange.asked) return MHD_YES;
  exchange.asked = true;
  const std::shared_ptr<Exchange> shared = exchange.shared_from_this();
  if (!may_ask(exchange.connection)) {
    answer(shared, error_response(MHD_HTTP_FORBIDDEN, "this daemon belongs to another user"));
  } else if (exchange.too_large) {
    answer(shared,
           error_response(MHD_HTTP_CONTENT_TOO_LARGE,
                          "the request has more than " + std::to_string(kMaxBodyBytes) + " bytes"));
  } else {
    handler_(exchange.request, [this, shared, alive = alive_](Response response) {
      if (*alive) answer(shared, std::move(response));
    });
  }
  if (exchange.answered) return send(exchange);
  exchange.suspended = true;
  http_.suspend_connection(exchange.connection);
  return MHD_YES;
}

void HttpServer::answer(const std::shared_ptr<Exchange>& exchange, Response response) {
  if (exchange->answered) return;
  exchange->answered = true;
  exchange->response = std::move(response);
  if (!exchange->suspended || exchange->connection == nullptr) return;
  http_.resume_connection(exchange->connection);
  run_soon();
}

MHD_Result HttpServer::send(Exchange& exchange) const {
  std::string text = exchange.response.body.dump();
  MHD_Response* const response =
      http_.create_response_from_buffer(text.size(), text.data(), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  http_.add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
  http_.add_response_header(response, MHD_HTTP_HEADER_SERVER, "pmx/" PMX_VERSION);
  const MHD_Result queued = http_.queue_response(
      exchange.connection, static_cast<unsigned>(exchange.response.status), response);
  http_.destroy_response(response);
  return queued;
}

void HttpServer::on_completed(void* self, MHD_Connection*, void** slot,
                              MHD_RequestTerminationCode) {
  auto* const server = static_cast<HttpServer*>(self);
  auto* const exchange = static_cast<Exchange*>(*slot);
  server->completed_ = true;
  if (exchange == nullptr) return;
  *slot = nullptr;
  exchange->connection = nullptr;
  const std::shared_ptr<Exchange> kept = exchange->shared_from_this();
  server->exchanges_.erase(kept);
  if (kept->answered && kept->response.when_sent) kept->response.when_sent();
}

}  // namespace

Response error_response(int status, std::string line) {
  return {status, Json::object({{"error", std::move(line)}})};
}

int status_of(const Error& error) {
  switch (error.code()) {
    case Errc::kInvalidArgument:
    case Errc::kRejected:
      return MHD_HTTP_BAD_REQUEST;
    case Errc::kNotFound:
      return MHD_HTTP_NOT_FOUND;
    case Errc::kExists:
      return MHD_HTTP_CONFLICT;
    default:
      return MHD_HTTP_INTERNAL_SERVER_ERROR;
  }
}

Result<std::unique_ptr<Server>> Server::create(EventLoop& loop, Fd listener, Handler handler) {
  const HttpLibrary http = PMX_TRY(HttpLibrary::open());
  auto server = std::make_unique<HttpServer>(loop, http, std::move(handler));
  PMX_TRY(server->start(std::move(listener)));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace pmx::api
