// An answer that comes later: the connection is suspended, which takes it out of the epoll set; the
// answer resumes it, MHD calls the handler once more, and that queues what is ready by then.
#include "api/server.h"

#include <unistd.h>

#include <set>
#include <string_view>
#include <utility>

#include "base/sys.h"
#include "http/mhd_loop.h"

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
  HttpServer(EventLoop& loop, const http::MhdLibrary& http, Handler handler)
      : http_(http), handler_(std::move(handler)), mhd_(loop, http) {}
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

  const http::MhdLibrary http_;
  Handler handler_;
  Exchanges exchanges_;
  // Answers may come after us: they look here first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  http::MhdLoop mhd_;  // The last: its end ends requests.
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
  MHD_Daemon* const daemon = http_.start_daemon(
      flags, 0, nullptr, nullptr, &HttpServer::on_access, this, MHD_OPTION_LISTEN_SOCKET,
      listener.get(), MHD_OPTION_CONNECTION_LIMIT, kMaxConnections, MHD_OPTION_CONNECTION_TIMEOUT,
      static_cast<unsigned>(kIdleTimeout.count()), MHD_OPTION_NOTIFY_COMPLETED,
      &HttpServer::on_completed, this, MHD_OPTION_EXTERNAL_LOGGER, &keep_quiet, nullptr,
      MHD_OPTION_END);
  if (daemon != nullptr) (void)listener.release();  // MHD's now.
  return mhd_.begin(daemon);
}

HttpServer::~HttpServer() {
  *alive_ = false;
  // MHD does not stop with a suspended connection.
  for (const auto& exchange : Exchanges(exchanges_))
    if (exchange->suspended)
      answer(exchange, error_response(MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is ending"));
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
  mhd_.run_soon();
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
  server->mhd_.completed();
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
  const auto http = PMX_TRY(http::MhdLibrary::open());
  auto server = std::make_unique<HttpServer>(loop, http, std::move(handler));
  PMX_TRY(server->start(std::move(listener)));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace pmx::api
