#include "http/file_server.h"

#include <string>
#include <utility>

#include "http/access_line.h"
#include "http/mhd_loop.h"
#include "http/site.h"
#include "http/tcp_listener.h"

namespace pmx::http {
namespace {

// One request, kept by MHD from its first line to its end.
struct Exchange {
  std::string target;  // As it came: MHD's own copy is decoded by the time it asks for an answer.
  bool begun = false;
};

void keep_quiet(void*, const char*, va_list) {}  // A client that goes away is no news.

class MhdFileServer final : public FileServer {
 public:
  MhdFileServer(EventLoop& loop, const MhdLibrary& http, const Clock& clock, SiteOptions options,
                SiteLog log)
      : loop_(loop),
        http_(http),
        clock_(clock),
        user_(options.user),
        site_(std::move(options)),
        log_(std::move(log)),
        mhd_(loop, http) {}
  Result<void> start(Fd listener);
  void finish(std::function<void()> done) override;

 private:
  static void* on_target(void* self, const char* target, MHD_Connection* connection);
  static MHD_Result on_access(void* self, MHD_Connection* connection, const char* url,
                              const char* method, const char* version, const char* upload,
                              std::size_t* upload_bytes, void** slot);
  static void on_completed(void* self, MHD_Connection* connection, void** slot,
                           MHD_RequestTerminationCode how);
  MHD_Result reply(MHD_Connection* connection, const Request& request, std::string_view version);
  MHD_Result send(MHD_Connection* connection, Answer answer) const;
  MHD_Response* response_of(Answer& answer) const;
  std::string_view header(MHD_Connection* connection, const char* name) const;
  void say(MHD_Connection* connection, const Request& request, std::string_view version,
           const Answer& answer) const;

  EventLoop& loop_;
  const MhdLibrary http_;
  const Clock& clock_;
  const std::string user_;
  const Site site_;
  const SiteLog log_;
  std::size_t open_ = 0;  // Requests that are not over yet.
  bool finishing_ = false;
  std::function<void()> when_finished_;
  MhdLoop mhd_;  // The last: its end ends requests.
};

Result<void> MhdFileServer::start(Fd listener) {
  MHD_Daemon* const daemon = http_.start_daemon(
      MHD_USE_EPOLL, 0, nullptr, nullptr, &MhdFileServer::on_access, this, MHD_OPTION_LISTEN_SOCKET,
      listener.get(), MHD_OPTION_CONNECTION_LIMIT, kMostConnections, MHD_OPTION_CONNECTION_TIMEOUT,
      static_cast<unsigned>(kPatience.count()), MHD_OPTION_URI_LOG_CALLBACK,
      &MhdFileServer::on_target, this, MHD_OPTION_NOTIFY_COMPLETED, &MhdFileServer::on_completed,
      this, MHD_OPTION_EXTERNAL_LOGGER, &keep_quiet, nullptr, MHD_OPTION_END);
  if (daemon != nullptr) (void)listener.release();  // MHD's now.
  return mhd_.begin(daemon);
}

void MhdFileServer::finish(std::function<void()> done) {
  finishing_ = true;
  mhd_.stop_listening();
  if (open_ == 0) return done();
  when_finished_ = std::move(done);
}

void* MhdFileServer::on_target(void* self, const char* target, MHD_Connection*) {
  ++static_cast<MhdFileServer*>(self)->open_;
  auto exchange = std::make_unique<Exchange>();
  exchange->target = target;
  return exchange.release();  // on_completed() has it back.
}

void MhdFileServer::on_completed(void* self, MHD_Connection*, void** slot,
                                 MHD_RequestTerminationCode) {
  auto* const server = static_cast<MhdFileServer*>(self);
  const std::unique_ptr<Exchange> over(static_cast<Exchange*>(std::exchange(*slot, nullptr)));
  server->mhd_.completed();
  if (!over || --server->open_ > 0 || !server->when_finished_) return;
  // Not from here: MHD is at work.
  (void)server->loop_.call_after(std::chrono::nanoseconds(0),
                                 std::exchange(server->when_finished_, nullptr));
}

MHD_Result MhdFileServer::on_access(void* self, MHD_Connection* connection, const char*,
                                    const char* method, const char* version, const char*,
                                    std::size_t* upload_bytes, void** slot) {
  auto& server = *static_cast<MhdFileServer*>(self);
  auto& exchange = *static_cast<Exchange*>(*slot);
  Request request;
  request.method = method;
  request.target = exchange.target;
  const bool reads = request.method == "GET" || request.method == "HEAD";
  // What is answered before its body has come is not read any further.
  if (!std::exchange(exchange.begun, true) && reads) return MHD_YES;
  if (*upload_bytes > 0) return MHD_NO;
  request.authorization = server.header(connection, MHD_HTTP_HEADER_AUTHORIZATION);
  request.range = server.header(connection, MHD_HTTP_HEADER_RANGE);
  request.if_range = server.header(connection, MHD_HTTP_HEADER_IF_RANGE);
  request.if_none_match = server.header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH);
  request.if_modified_since = server.header(connection, MHD_HTTP_HEADER_IF_MODIFIED_SINCE);
  return server.reply(connection, request, version);
}

MHD_Result MhdFileServer::reply(MHD_Connection* connection, const Request& request,
                                std::string_view version) {
  Answer answer = site_.answer(request);
  if (finishing_) answer.headers.emplace_back(MHD_HTTP_HEADER_CONNECTION, "close");
  say(connection, request, version, answer);
  return send(connection, std::move(answer));
}

MHD_Result MhdFileServer::send(MHD_Connection* connection, Answer answer) const {
  MHD_Response* const response = response_of(answer);
  if (response == nullptr) return MHD_NO;
  for (const auto& [name, value] : answer.headers)
    (void)http_.add_response_header(response, name.c_str(), value.c_str());
  const MHD_Result queued =
      http_.queue_response(connection, static_cast<unsigned>(answer.status), response);
  http_.destroy_response(response);
  return queued;
}

MHD_Response* MhdFileServer::response_of(Answer& answer) const {
  if (!answer.file || answer.size == 0)
    return http_.create_response_from_buffer(answer.body.size(), answer.body.data(),
                                             MHD_RESPMEM_MUST_COPY);
  MHD_Response* const response =
      http_.create_response_from_fd_at_offset64(answer.size, answer.file.get(), answer.offset);
  if (response != nullptr) (void)answer.file.release();  // MHD's now.
  return response;
}

std::string_view MhdFileServer::header(MHD_Connection* connection, const char* name) const {
  const char* const value = http_.lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value == nullptr ? std::string_view() : value;
}

void MhdFileServer::say(MHD_Connection* connection, const Request& request,
                        std::string_view version, const Answer& answer) const {
  if (!answer.trouble.empty()) log_.trouble(answer.trouble + "\n");
  if (answer.status < 400 && log_.answers == SiteLog::Answers::kFailures) return;
  const MHD_ConnectionInfo* const info =
      http_.get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  const std::string client = info == nullptr ? "" : address_text(info->client_addr);
  Access access;
  access.client = client;
  access.user = answer.status == 401 ? "" : user_;
  access.time_ns = clock_.system_ns();
  access.method = request.method;
  access.target = request.target;
  access.version = version;
  access.status = answer.status;
  const bool has_body = request.method != "HEAD" && answer.status != 304;
  access.size_bytes = has_body ? answer.size_bytes() : 0;
  access.referer = header(connection, MHD_HTTP_HEADER_REFERER);
  access.user_agent = header(connection, MHD_HTTP_HEADER_USER_AGENT);
  log_.access(access_line(access));
}

}  // namespace

Result<std::unique_ptr<FileServer>> FileServer::create(EventLoop& loop, const Clock& clock,
                                                       Fd listener, SiteOptions options,
                                                       SiteLog log) {
  const MhdLibrary http = PMX_TRY(MhdLibrary::open());
  auto server =
      std::make_unique<MhdFileServer>(loop, http, clock, std::move(options), std::move(log));
  PMX_TRY(server->start(std::move(listener)));
  return std::unique_ptr<FileServer>(std::move(server));
}

}  // namespace pmx::http
