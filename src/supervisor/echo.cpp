#include "supervisor/echo.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/sys.h"

namespace pmx::supervisor {
namespace {
constexpr std::size_t kPageBytes = 4096;
}  // namespace

Result<Fd> Echo::make_page() {
  static_assert(kMaxSources * sizeof(Progress) <= kPageBytes);
  return sys::memfd("pmx-echo", kPageBytes);
}

Result<std::unique_ptr<Echo>> Echo::start(const std::string& state_directory,
                                          std::vector<Source> sources, EchoStyle style,
                                          const Fd& page, const Clock& clock) {
  std::unique_ptr<Echo> echo(new Echo(style, clock));  // lint: the constructor is private.
  void* at = ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, page.get(), 0);
  if (at == MAP_FAILED) return system_error(errno, "mmap", "echo page");
  echo->page_ = static_cast<Progress*>(at);
  echo->wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!echo->wake_) return system_error(errno, "eventfd");
  for (std::size_t i = 0; i < sources.size() && i < kMaxSources; ++i) {
    auto reader = std::make_unique<rotate::LogReader>(
        echo->files_, rotate::LogDir(state_directory, sources[i].log_path));
    Progress& progress = echo->page_[i];
    const bool first_life = progress.time_ns == 0;
    if (first_life) {
      reader->seek_end();                    // Lines of an earlier container are not ours to print.
      progress.time_ns = clock.system_ns();  // Should we die before the first line of ours.
    } else {
      reader->seek_time(progress.time_ns);
    }
    echo->follower_.follow(*reader, i);
    // Without a line printed, only the time tells what is ours.
    const std::int64_t since = first_life || progress.next_seq > 0 ? 0 : progress.time_ns;
    echo->readers_.push_back({std::move(sources[i]), std::move(reader), &progress, since});
  }
  echo->thread_ = std::thread([self = echo.get()] { self->run(); });
  return echo;
}

Echo::~Echo() {
  finish();
  if (page_ != nullptr) ::munmap(page_, kPageBytes);
}

void Echo::finish() {
  if (!thread_.joinable()) return;
  finishing_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

bool Echo::print_new() {
  for (Reader& each : readers_) {
    for (auto line = each.reader->next(); line; line = each.reader->next()) {
      // Printed by the daemon before us, or by an earlier container.
      if (line->seq < each.progress->next_seq || line->time_ns < each.since_ns) continue;
      const int fd = each.source.both_kinds && line->kind == StreamKind::kErr ? 2 : each.source.fd;
      if (!sys::write_all(fd, echo_text(style_, each.source.app_name, *line))) return false;
      each.progress->time_ns = line->time_ns;
      each.progress->next_seq = line->seq + 1;
    }
    if (!finishing_) continue;
    for (auto rest = each.reader->next_unfinished(); rest; rest = each.reader->next_unfinished())
      if (!sys::write_all(each.source.fd, echo_text(style_, each.source.app_name, *rest)))
        return false;
  }
  return true;
}

void Echo::run() {
  for (;;) {
    const bool last = finishing_;  // Read before the files: what is recorded by now is printed.
    (void)follower_.take_changed();
    if (!print_new() || last) return;
    pollfd waits[2] = {{wake_.get(), POLLIN, 0}, {follower_.fd(), POLLIN, 0}};
    const auto timeout = follower_.poll_timeout();
    (void)::poll(waits, follower_.fd() >= 0 ? 2 : 1,
                 timeout ? static_cast<int>(timeout->count()) : -1);
  }
}

}  // namespace pmx::supervisor
