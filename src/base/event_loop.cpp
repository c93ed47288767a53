#include "base/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace pmx {

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  std::unique_ptr<EventLoop> loop(new EventLoop());  // lint: the constructor is private.
  loop->epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_) return system_error(errno, "epoll_create1");
  loop->wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!loop->wake_) return system_error(errno, "eventfd");
  EventLoop& self = *loop;
  PMX_TRY(self.watch(self.wake_.get(), [&self] { self.run_posted(); }));
  return loop;
}

EventLoop::~EventLoop() = default;

Result<void> EventLoop::add(int fd, std::uint32_t events, Callback callback) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  const int operation = watched_.contains(fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) < 0) return system_error(errno, "epoll_ctl");
  watched_[fd] = std::make_shared<Callback>(std::move(callback));
  return {};
}

Result<void> EventLoop::watch(int fd, Callback on_readable) {
  return add(fd, EPOLLIN, std::move(on_readable));
}

Result<void> EventLoop::watch_writable(int fd, Callback on_writable) {
  return add(fd, EPOLLOUT, std::move(on_writable));
}

Result<void> EventLoop::watch_both(int fd, Callback on_ready) {
  return add(fd, EPOLLIN | EPOLLOUT, std::move(on_ready));
}

Result<void> EventLoop::watch_changes(int fd, Callback on_change) {
  return add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, std::move(on_change));
}

void EventLoop::unwatch(int fd) {
  if (watched_.erase(fd) > 0) (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::call_at(TimePoint when, Callback callback) {
  const TimerId id = next_timer_++;
  timers_.emplace(when, std::pair(id, std::move(callback)));
  return id;
}

EventLoop::TimerId EventLoop::call_after(std::chrono::nanoseconds delay, Callback callback) {
  return call_at(std::chrono::steady_clock::now() + delay, std::move(callback));
}

void EventLoop::cancel(TimerId id) {
  // Few timers exist at a time (one or two a worker), and a cancel is rare.
  const auto found = std::find_if(timers_.begin(), timers_.end(),
                                  [id](const auto& timer) { return timer.second.first == id; });
  if (found != timers_.end()) timers_.erase(found);
}

void EventLoop::post(Callback callback) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(callback));
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);  // Full means that a wakeup is already on its way.
}

void EventLoop::stop() {
  post([this] { stopping_ = true; });
}

void EventLoop::run_posted() {
  std::uint64_t count;
  (void)!::read(wake_.get(), &count, sizeof count);
  std::vector<Callback> calls;
  {
    const std::lock_guard lock(posted_mutex_);
    calls.swap(posted_);
  }
  for (const Callback& call : calls) call();
}

void EventLoop::run_due_timers() {
  const auto now = std::chrono::steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const Callback callback = std::move(timers_.begin()->second.second);
    timers_.erase(timers_.begin());
    callback();
  }
}

int EventLoop::timeout_ms() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first - std::chrono::steady_clock::now();
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 3'600'000));
}

void EventLoop::run() {
  std::array<epoll_event, 128> events;
  while (!stopping_) {
    const int n = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout_ms());
    ++wakeups_;
    for (int i = 0; i < n; ++i) {
      const auto found = watched_.find(events[static_cast<std::size_t>(i)].data.fd);
      if (found == watched_.end()) continue;  // Removed by an earlier callback of this round.
      const auto callback = found->second;
      (*callback)();
    }
    run_due_timers();
    if (after_round_) after_round_();
  }
  stopping_ = false;
}

}  // namespace pmx
