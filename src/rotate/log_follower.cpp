#include "rotate/log_follower.h"

#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/sys.h"

namespace pmx::rotate {
namespace {

constexpr std::chrono::milliseconds kPollInterval{1000};
constexpr std::uint32_t kEvents = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_MASK_ADD;
constexpr std::uint32_t kTargetGone =
    IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED;  // Whatever its name.

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

LogFollower::LogFollower(const Clock& clock, Use use) : clock_(clock) {
  if (use == Use::kInotify) inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify_) incomplete_ = true;
}

std::optional<std::chrono::milliseconds> LogFollower::poll_timeout() const {
  if (incomplete_) return kPollInterval;
  if (!look_again_at_) return std::nullopt;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(*look_again_at_ - clock_.steady_now());
  return std::max(left, std::chrono::milliseconds(0));
}

void LogFollower::follow(LogReader& reader, Key key) {
  add({key, &reader, reader.dir().index_directory(), {}, -1, {}});
  // A file that pmx did not write has no index whose growth would tell.
  if (reader.unindexed()) add({key, &reader, reader.dir().active_path(), {}, -1, {}});
}

void LogFollower::watch_file(const std::string& path, Key key) {
  add({key, nullptr, parent_of(path), path.substr(path.rfind('/') + 1), -1, {}});
}

void LogFollower::add(Target target) {
  targets_.push_back(std::move(target));
  arm(targets_.back());
  changed_.insert(targets_.back().key);  // What came before the watch is found by looking once.
}

// Watches the target, or the nearest parent that is there.
void LogFollower::arm(Target& target) {
  if (!inotify_) return;
  const auto index = static_cast<std::size_t>(&target - targets_.data());
  std::erase_if(by_watch_, [index](const auto& entry) { return entry.second == index; });
  const int old_watch = std::exchange(target.watch, -1);
  std::string path = target.path;
  for (;;) {
    const int watch = ::inotify_add_watch(inotify_.get(), path.c_str(), kEvents);
    if (watch < 0 && (errno == ENOENT || errno == ENOTDIR) && path != "/") {
      path = parent_of(path);
      continue;
    }
    if (watch < 0) {
      incomplete_ = true;  // ENOSPC: the user's watches are used up. EACCES: nobody will tell us.
      return;
    }
    target.watch = watch;
    // It may have appeared between the failed try and this watch: once more, until it does not
    // move.
    if (path == target.path || path == target.watched) break;
    target.watched = path;
    path = target.path;
  }
  target.watched = path;
  by_watch_.emplace(target.watch, index);
  // A parent that nobody waits at any more would only wake us.
  if (old_watch >= 0 && !by_watch_.contains(old_watch))
    ::inotify_rm_watch(inotify_.get(), old_watch);
}

void LogFollower::report(const Target& target) { changed_.insert(target.key); }

void LogFollower::on_event(int watch, std::uint32_t mask, const std::string& name) {
  std::vector<std::size_t> concerned;
  for (auto [at, end] = by_watch_.equal_range(watch); at != end; ++at)
    concerned.push_back(at->second);
  for (const std::size_t index : concerned) {
    Target& target = targets_[index];
    const bool at_target = target.watched == target.path;
    if (at_target && (mask & kTargetGone) == 0 && !target.name.empty() && name != target.name)
      continue;
    // Of a record appended to an index nothing else has changed in the directory.
    if (target.reader != nullptr && (mask & ~std::uint32_t{IN_MODIFY}) != 0)
      target.reader->directory_changed();
    if (at_target) report(target);
    // Removed or replaced as a whole, perhaps. Watching the same directory again changes nothing.
    if (at_target && (mask & ~std::uint32_t{IN_MODIFY}) == 0) continue;
    // The directory's own end may come after that of its files, and the kernel does not tell it
    // while the reader has one of them open: it is looked at once more.
    if (target.reader != nullptr && (mask & (IN_DELETE | IN_MOVED_FROM | IN_MOVE_SELF)) != 0)
      look_again_at_ = clock_.steady_now() + kPollInterval;
    target.watched.clear();
    arm(target);
    if (target.watched == target.path) report(target);
  }
}

void LogFollower::look_at_all(bool arm_again) {
  for (Target& target : targets_) {
    if (target.reader != nullptr) target.reader->directory_changed();
    report(target);
    if (!arm_again) continue;
    target.watched.clear();
    arm(target);
  }
}

std::vector<LogFollower::Key> LogFollower::take_changed() {
  alignas(inotify_event) std::array<char, 64U << 10U> events;
  while (inotify_) {
    const auto n = sys::read(inotify_.get(), events);
    if (!n || *n == 0) break;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= *n;) {
      inotify_event event;
      std::memcpy(&event, events.data() + at, sizeof event);
      const char* const name = events.data() + at + sizeof event;
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        look_at_all(false);
        continue;
      }
      on_event(event.wd, event.mask,
               event.len > 0 ? std::string(name, ::strnlen(name, event.len)) : std::string());
    }
  }
  const bool due = look_again_at_ && clock_.steady_now() >= *look_again_at_;
  if (due) look_again_at_.reset();
  if (due || incomplete_) look_at_all(true);
  const std::vector<Key> keys(changed_.begin(), changed_.end());
  changed_.clear();
  return keys;
}

}  // namespace pmx::rotate
