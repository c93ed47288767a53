#include "supervisor/tree_watch.h"

#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/sys.h"
#include "supervisor/ignore_rules.h"

namespace pmx::supervisor {
namespace {

using internal::DirectoryEntries;
using internal::PathWay;

constexpr std::uint32_t kItself = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kGone = IN_DELETE | IN_MOVED_FROM;
constexpr std::uint32_t kCame = IN_CREATE | IN_MOVED_TO;
// Not IN_MODIFY: it would restart an app on half a file, and wake us for each write to a log.
constexpr std::uint32_t kEverything = kItself | kGone | kCame | IN_CLOSE_WRITE;
constexpr std::uint32_t kInTree = kEverything | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr int kReadsATurn = 16;
constexpr std::size_t kEntriesADirectory = 20;  // What opening one costs, in entries read.

std::uint32_t events_of(PathWay::Step::Watch watch) {
  switch (watch) {
    case PathWay::Step::Watch::kSelf:
      return kItself;
    case PathWay::Step::Watch::kRemoval:
      return kItself | IN_DELETE;
    case PathWay::Step::Watch::kName:
      break;
  }
  return kEverything;
}

std::string limit_text(const char* name) {
  std::string text = "fs.inotify." + std::string(name);
  auto value = sys::read_file("/proc/sys/fs/inotify/" + std::string(name), 64);
  if (!value) return text;
  while (!value->empty() && value->back() == '\n') value->pop_back();
  return text + " = " + *value;
}

std::string joined(const std::string& directory, std::string_view name) {
  std::string path = directory == "/" ? "" : directory;
  return path.append("/").append(name);
}

}  // namespace

TreeWatch::TreeWatch(const std::vector<std::string>& roots, Parts parts)
    : parts_(std::move(parts)) {
  for (const std::string& path : roots) roots_.push_back({path, {}, false});
  open();
}

TreeWatch::~TreeWatch() {
  forget_all();
  parts_.timers.cancel(open_timer_);
}

bool TreeWatch::has_its_roots() const {
  return std::none_of(roots_.begin(), roots_.end(), [](const Root& root) {
    return root.was_there && root.way.kind == PathWay::Kind::kNothing;
  });
}

void TreeWatch::tell_once(const std::string& what, const std::string& line) {
  if (told_.insert(what).second) parts_.notice(line);
}

std::string_view TreeWatch::below(std::size_t root, std::string_view path) const {
  return relative_to(roots_[root].path, path);
}

bool TreeWatch::is_ignored(std::size_t root, const std::string& path) const {
  return parts_.ignored(path, below(root, path));
}

// ---- The instance.

void TreeWatch::open() {
  open_timer_ = 0;
  inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const int failed = errno;
  const auto watched = inotify_
                           ? parts_.watches.watch_changes(inotify_.get(), [this] { read_events(); })
                           : Result<void>(system_error(failed, "inotify_init1"));
  if (!watched) {
    inotify_.reset();
    tell_once("instance", "files are not watched yet (" + watched.error().message() +
                              "): raise the kernel's limit (" + limit_text("max_user_instances") +
                              ", by sysctl) or that of open files; trying again every minute");
    open_timer_ = parts_.timers.call_after(kTryAgain, [this] { open(); });
    return;
  }
  for (std::size_t root = 0; root < roots_.size(); ++root) look_at(root);
  if (!pending_.empty()) scan();
}

void TreeWatch::forget_all() {
  if (inotify_) parts_.watches.unwatch(inotify_.get());
  inotify_.reset();
  parts_.timers.cancel(std::exchange(scan_timer_, 0));
  parts_.timers.cancel(std::exchange(read_timer_, 0));
  by_path_.clear();
  by_watch_.clear();
  links_.clear();
  pending_.clear();
  reading_.reset();
  roots_to_look_at_.clear();
  for (Root& root : roots_) root.way = {};
}

// ---- Roots.

// A root that is gone is no change yet: there is nothing to restart with. It is when it is back.
void TreeWatch::look_at(std::size_t number) {
  Root& root = roots_[number];
  const PathWay before = root.way;
  place_links(number);
  // A new directory may have the number of the one that was removed: its watch is gone then.
  const bool is_watched = root.way.kind != PathWay::Kind::kDirectory ||
                          by_path_.contains(root.path) || is_pending(root.path);
  if (is_watched && root.way == before) return;
  remove_below(number, root.path);
  const bool is_there = root.way.kind != PathWay::Kind::kNothing;
  if (root.way.kind == PathWay::Kind::kDirectory) want({number, root.path, false});
  if (!is_there && !root.was_there)
    tell_once(root.path, root.path + " is not there: it is watched once it is");
  const bool is_first = !root.was_there && before.steps.empty();
  root.was_there = root.was_there || is_there;
  if (is_there && !is_first && !is_rescan_) parts_.changed(root.path);
}

// What changes between the look and the watch is found by looking again.
void TreeWatch::place_links(std::size_t number) {
  Root& root = roots_[number];
  drop_links(number);
  for (int turn = 0; turn < 3; ++turn) {
    root.way = internal::way_to(root.path);
    for (const PathWay::Step& step : root.way.steps) {
      // It fails for want of a right to read it, as /root, or because it is gone: the next turn.
      const int watch =
          ::inotify_add_watch(inotify_.get(), step.directory.c_str(),
                              events_of(step.watch) | IN_MASK_ADD | IN_ONLYDIR | IN_DONT_FOLLOW);
      if (watch >= 0) links_.emplace(watch, Link{number, step.name});
    }
    if (internal::way_to(root.path) == root.way) break;
  }
}

void TreeWatch::drop_links(std::size_t root) {
  std::set<int> dropped;
  for (auto at = links_.begin(); at != links_.end();) {
    if (at->second.root != root) {
      ++at;
      continue;
    }
    dropped.insert(at->first);
    at = links_.erase(at);
  }
  for (const int watch : dropped)
    if (!by_watch_.contains(watch) && !links_.contains(watch))
      (void)::inotify_rm_watch(inotify_.get(), watch);
}

// ---- Events.

void TreeWatch::read_events() {
  alignas(inotify_event) std::array<char, 64U << 10U> bytes;
  bool is_empty = false;
  for (int turn = 0; turn < kReadsATurn && !is_empty && inotify_; ++turn) {
    const auto n = sys::read(inotify_.get(), bytes);
    is_empty = !n || *n == 0;
    for (std::size_t at = 0; !is_empty && at + sizeof(inotify_event) <= *n;) {
      inotify_event event;
      std::memcpy(&event, bytes.data() + at, sizeof event);
      const char* const name = bytes.data() + at + sizeof event;
      at += sizeof event + event.len;
      handle({event.wd, event.mask, std::string(name, ::strnlen(name, event.len))});
    }
  }
  finish_batch();
  // Edge-triggered: nobody calls again for what is left.
  if (!is_empty && inotify_ && read_timer_ == 0)
    read_timer_ = parts_.timers.call_after(std::chrono::nanoseconds(0), [this] {
      read_timer_ = 0;
      read_events();
    });
}

void TreeWatch::handle(const Event& event) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    overflown_ = true;
    return;
  }
  const bool is_end = (event.mask & (kItself | IN_IGNORED | IN_UNMOUNT)) != 0;
  for (auto [at, end] = links_.equal_range(event.watch); at != end; ++at) {
    const Link& link = at->second;
    if (!is_end && event.name != link.name) continue;
    roots_to_look_at_.insert(link.root);
    const Root& root = roots_[link.root];
    if (root.way.kind == PathWay::Kind::kOther && (event.mask & (kCame | IN_CLOSE_WRITE)) != 0 &&
        !is_ignored(link.root, root.path))
      parts_.changed(root.path);
  }
  if ((event.mask & IN_IGNORED) != 0) links_.erase(event.watch);
  const auto found = by_watch_.find(event.watch);
  if (found == by_watch_.end()) return;
  const Directory directory = found->second;  // It may be forgotten meanwhile.
  if ((event.mask & IN_IGNORED) != 0) forget(event.watch);
  if (is_end && directory.path == roots_[directory.root].path)
    roots_to_look_at_.insert(directory.root);
  if (!is_end && !event.name.empty()) handle_in_tree(directory, event);
}

void TreeWatch::handle_in_tree(const Directory& directory, const Event& event) {
  const std::string path = joined(directory.path, event.name);
  if (is_ignored(directory.root, path)) return;
  if ((event.mask & IN_ISDIR) != 0) {
    if ((event.mask & kGone) != 0) remove_below(directory.root, path);
    if ((event.mask & kCame) != 0) want({directory.root, path, true});
  }
  parts_.changed(path);
}

void TreeWatch::finish_batch() {
  if (overflown_) {
    overflown_ = false;
    // What was renamed or removed is not known: everything is placed anew, with the way to each
    // root forgotten. The end of it counts as a change too, so that nobody restarts in between.
    forget_all();
    is_rescan_ = true;
    if (!roots_.empty()) parts_.changed(roots_.front().path);
    return open();
  }
  for (const std::size_t root : std::exchange(roots_to_look_at_, {})) look_at(root);
  if (!pending_.empty() && scan_timer_ == 0) scan();
}

// ---- Directories.

bool TreeWatch::is_pending(const std::string& path) const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [&path](const Pending& next) { return next.path == path; });
}

void TreeWatch::want(Pending next) {
  if (by_path_.size() + pending_.size() < parts_.max_directories)
    return pending_.push_back(std::move(next));
  tell_once("directories", "more than " + std::to_string(parts_.max_directories) +
                               " directories below " + roots_[next.root].path +
                               ": changes in the rest are not seen; name the directories that "
                               "count in watch, or those that do not in ignore_watch");
}

void TreeWatch::scan() {
  scan_timer_ = 0;
  for (std::size_t work = 0; work < kSliceDirectories * kEntriesADirectory;) {
    if (reading_) {
      ++work;
      if (const auto entry = reading_->entries.next()) {
        take(*reading_, *entry);
      } else {
        reading_.reset();
      }
    } else if (!pending_.empty()) {
      work += kEntriesADirectory;
      Pending next = std::move(pending_.front());
      pending_.pop_front();
      begin(std::move(next));
    } else {
      if (std::exchange(is_rescan_, false) && !roots_.empty()) parts_.changed(roots_.front().path);
      return;
    }
  }
  scan_timer_ = parts_.timers.call_after(std::chrono::nanoseconds(0), [this] { scan(); });
}

// The watch comes before the look: what is made in between is seen twice.
void TreeWatch::begin(Pending next) {
  auto directory = internal::open_directory_below(roots_[next.root].path,
                                                  relative_to(roots_[next.root].path, next.path));
  if (!directory) {
    // Gone, or a link by now: its directory has told of that.
    const int why = directory.error().sys_errno();
    if (why != ENOENT && why != ENOTDIR && why != ELOOP)
      tell_once("open", "changes in some directories are not seen: " + directory.error().message());
    return;
  }
  if (!add_watch(directory->get(), next)) return;
  auto entries = DirectoryEntries::of(std::move(*directory));
  if (entries) reading_ = std::make_unique<Reading>(Reading{std::move(next), std::move(*entries)});
}

void TreeWatch::take(const Reading& reading, const DirectoryEntries::Entry& entry) {
  std::string path = joined(reading.of.path, entry.name);
  if (is_ignored(reading.of.root, path)) return;
  if (reading.of.is_new) parts_.changed(path);
  if (entry.is_directory) want({reading.of.root, std::move(path), reading.of.is_new});
}

bool TreeWatch::add_watch(int directory_fd, const Pending& of) {
  // By the descriptor: a path could lead elsewhere by now.
  const std::string self = "/proc/self/fd/" + std::to_string(directory_fd);
  const int watch = ::inotify_add_watch(inotify_.get(), self.c_str(), kInTree);
  if (watch >= 0) {
    remember(watch, of);
    return true;
  }
  const Error failed = system_error(errno, "inotify_add_watch", of.path);
  if (failed.sys_errno() == ENOSPC) {
    pending_.clear();
    tell_once("watches", "the kernel gives no more watches after " +
                             std::to_string(by_path_.size()) + " directories (" +
                             limit_text("max_user_watches") +
                             "): changes in the rest are not seen; raise it by sysctl, or name in "
                             "ignore_watch what does not count, then stop and start the app");
  } else {
    tell_once("watch", "changes in some directories are not seen: " + failed.message());
  }
  return false;
}

void TreeWatch::remember(int watch, const Pending& of) {
  // The same directory by another path, as after a rename: the newer one is right.
  if (const auto same = by_watch_.find(watch); same != by_watch_.end())
    by_path_.erase(same->second.path);
  if (const auto old = by_path_.find(of.path); old != by_path_.end() && old->second != watch) {
    const int old_watch = old->second;
    forget(old_watch);
    if (!links_.contains(old_watch)) (void)::inotify_rm_watch(inotify_.get(), old_watch);
  }
  by_watch_[watch] = {of.root, of.path};
  by_path_[of.path] = watch;
}

void TreeWatch::forget(int watch) {
  const auto found = by_watch_.find(watch);
  if (found == by_watch_.end()) return;
  const auto path = by_path_.find(found->second.path);
  if (path != by_path_.end() && path->second == watch) by_path_.erase(path);
  by_watch_.erase(found);
}

// Directories that are gone from here, by a rename too: the kernel's watches would go on under
// names that are wrong by now.
void TreeWatch::remove_below(std::size_t root, const std::string& path) {
  std::erase_if(pending_, [&](const Pending& next) {
    return next.root == root && is_below(path, next.path);
  });
  std::vector<int> gone;
  // "/a" and "/a/…"; between them sort others, as "/a-b".
  if (const auto self = by_path_.find(path); self != by_path_.end()) gone.push_back(self->second);
  const std::string inside = path == "/" ? path : path + "/";
  for (auto at = by_path_.lower_bound(inside);
       at != by_path_.end() && at->first.starts_with(inside); ++at)
    gone.push_back(at->second);
  for (const int watch : gone) {
    const auto found = by_watch_.find(watch);
    if (found == by_watch_.end() || found->second.root != root) continue;
    forget(watch);
    if (!links_.contains(watch)) (void)::inotify_rm_watch(inotify_.get(), watch);
  }
}

}  // namespace pmx::supervisor
