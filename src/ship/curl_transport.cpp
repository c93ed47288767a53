// libcurl's multi interface by events: it says which sockets to watch and when to be woken, the
// loop tells it what happened. What is finished is collected after each such call and given out
// then, outside of libcurl, so that a `done` may send and cancel as it likes.
//
// Each request has a handle of its own, made and freed with it (some microseconds beside a round
// trip); connections, TLS sessions and names that were looked up belong to the multi handle.
#include "ship/curl_transport.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "ship/internal/curl_library.h"
#include "ship/internal/curl_request.h"

namespace pmx::ship {

class CurlTransport::Impl {
 public:
  Impl(EventLoop& loop, const CurlLibrary& curl, const SinkTls& tls, std::string user_agent)
      : loop_(loop), context_{curl, tls, std::move(user_agent), nullptr} {}
  ~Impl();
  Result<void> start();
  Id send(HttpRequest request, Done done);
  void cancel(Id id);

 private:
  struct Finished {
    Id id;
    Done done;
    HttpAnswer answer;
  };
  const CurlLibrary& curl() const { return context_.curl; }
  std::string begin(CurlRequest& request);
  void watch(curl_socket_t fd, int what);
  void set_timer(long timeout_ms);
  void act(curl_socket_t fd, int events);
  void collect();
  void give_out();

  EventLoop& loop_;
  CurlContext context_;
  CURLM* multi_ = nullptr;
  std::unordered_map<Id, std::unique_ptr<CurlRequest>> requests_;
  std::deque<Finished> finished_;  // Answered, `done` not called yet.
  std::unordered_set<curl_socket_t> watched_;
  EventLoop::TimerId timer_ = 0, give_out_timer_ = 0;  // 0: none.
  Id next_id_ = 1;
};

Result<void> CurlTransport::Impl::start() {
  const std::string& fingerprint = context_.tls.ca_fingerprint;
  if (!fingerprint.empty())
    context_.pinned = PMX_TRY(PinnedCertificate::create(curl(), fingerprint));
  multi_ = curl().multi_init();
  if (multi_ == nullptr) return Error(Errc::kIo, "start libcurl: out of memory");
  const curl_socket_callback on_socket = [](CURL*, curl_socket_t fd, int what, void* self, void*) {
    static_cast<Impl*>(self)->watch(fd, what);
    return 0;
  };
  const curl_multi_timer_callback on_timer = [](CURLM*, long timeout_ms, void* self) {
    static_cast<Impl*>(self)->set_timer(timeout_ms);
    return 0;
  };
  (void)curl().multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
  (void)curl().multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  (void)curl().multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
  (void)curl().multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  return {};
}

CurlTransport::Impl::~Impl() {
  for (auto& [id, request] : requests_) (void)curl().multi_remove_handle(multi_, request->easy());
  requests_.clear();
  if (multi_ != nullptr) (void)curl().multi_cleanup(multi_);
  for (const curl_socket_t fd : watched_) loop_.unwatch(fd);
  // Last: libcurl sets it at the end once more.
  if (timer_ != 0) loop_.cancel(timer_);
  if (give_out_timer_ != 0) loop_.cancel(give_out_timer_);
}

HttpTransport::Id CurlTransport::Impl::send(HttpRequest request, Done done) {
  const Id id = next_id_++;
  auto made = std::make_unique<CurlRequest>(context_, id, std::move(request), std::move(done));
  HttpAnswer answer;
  answer.error = begin(*made);
  if (answer.error.empty()) {
    requests_.emplace(id, std::move(made));
    return id;
  }
  finished_.push_back({id, made->take_done(), std::move(answer)});
  if (give_out_timer_ == 0)
    give_out_timer_ = loop_.call_after(std::chrono::nanoseconds(0), [this] {
      give_out_timer_ = 0;
      give_out();
    });
  return id;
}

// "": libcurl has it.
std::string CurlTransport::Impl::begin(CurlRequest& request) {
  std::string problem = request.prepare();
  if (!problem.empty()) return problem;
  const CURLMcode added = curl().multi_add_handle(multi_, request.easy());
  return added == CURLM_OK ? "" : std::string("libcurl: ") + curl().multi_strerror(added);
}

void CurlTransport::Impl::cancel(Id id) {
  std::erase_if(finished_, [id](const Finished& finished) { return finished.id == id; });
  const auto found = requests_.find(id);
  if (found == requests_.end()) return;
  (void)curl().multi_remove_handle(multi_, found->second->easy());
  requests_.erase(found);
}

void CurlTransport::Impl::watch(curl_socket_t fd, int what) {
  Result<void> done;
  if (what == CURL_POLL_IN)
    done = loop_.watch(fd, [this, fd] { act(fd, CURL_CSELECT_IN); });
  else if (what == CURL_POLL_OUT)
    done = loop_.watch_writable(fd, [this, fd] { act(fd, CURL_CSELECT_OUT); });
  else if (what == CURL_POLL_INOUT)
    done = loop_.watch_both(fd, [this, fd] { act(fd, 0); });  // 0: libcurl looks itself.
  else
    loop_.unwatch(fd);
  // A socket that cannot be watched (the kernel is out of memory) lets its request run into its
  // timeout; an error from here would end all the others too, for ever.
  if (what == CURL_POLL_REMOVE)
    watched_.erase(fd);
  else if (done)
    watched_.insert(fd);
}

void CurlTransport::Impl::set_timer(long timeout_ms) {
  if (timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  if (timeout_ms < 0) return;
  timer_ = loop_.call_after(std::chrono::milliseconds(timeout_ms), [this] {
    timer_ = 0;
    act(CURL_SOCKET_TIMEOUT, 0);
  });
}

void CurlTransport::Impl::act(curl_socket_t fd, int events) {
  int running = 0;
  (void)curl().multi_socket_action(multi_, fd, events, &running);
  collect();
  give_out();
}

void CurlTransport::Impl::collect() {
  int left = 0;
  while (const CURLMsg* message = curl().multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode result = message->data.result;  // The message goes with the handle.
    CurlRequest& request = *CurlRequest::of(curl(), message->easy_handle);
    const Id id = request.id();
    HttpAnswer answer = request.answer(result);
    (void)curl().multi_remove_handle(multi_, request.easy());
    finished_.push_back({id, request.take_done(), std::move(answer)});
    requests_.erase(id);
  }
}

void CurlTransport::Impl::give_out() {
  while (!finished_.empty()) {
    Finished finished = std::move(finished_.front());
    finished_.pop_front();
    finished.done(std::move(finished.answer));
  }
}

CurlTransport::CurlTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CurlTransport::~CurlTransport() = default;

Result<std::unique_ptr<CurlTransport>> CurlTransport::create(EventLoop& loop, const SinkTls& tls,
                                                             std::string user_agent) {
  const CurlLibrary curl = PMX_TRY(CurlLibrary::open());
  auto impl = std::make_unique<Impl>(loop, curl, tls, std::move(user_agent));
  PMX_TRY(impl->start());
  return std::unique_ptr<CurlTransport>(new CurlTransport(std::move(impl)));
}

HttpTransport::Id CurlTransport::send(HttpRequest request, Done done) {
  return impl_->send(std::move(request), std::move(done));
}

void CurlTransport::cancel(Id id) { impl_->cancel(id); }

}  // namespace pmx::ship
