// Tells of changes below some paths, files or directories, by inotify(7): one instance, a watch a
// directory. A file counts when whoever writes it has closed it, when it is made, renamed or
// removed.
//
// A directory that appears is watched at once, and what is in it by then counts. A root may be
// replaced: renamed over, removed and made again, reached through a symbolic link that is pointed
// elsewhere; every step of its path is watched for that. Symbolic links below a root are not
// followed: what they point to is not watched, and nobody can lead a watcher of root's out of the
// tree.
//
// Owns:    the inotify instance, its watches, its timers.
// Thread:  control. Big trees are read in slices of kSliceDirectories.
// Errors:  never its caller's: what cannot be watched is said once, with what to do; the rest is.
// Bounds:  max_directories; what is beyond is said and not watched. When the kernel's queue has
//          overflown, that is a change, and everything is looked at anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/timers.h"
#include "base/watches.h"
#include "supervisor/internal/tree_paths.h"

namespace pmx::supervisor {

class TreeWatch {
 public:
  static constexpr std::size_t kMaxDirectories = 65'536;
  static constexpr std::size_t kSliceDirectories = 1'000;
  static constexpr std::chrono::seconds kTryAgain{60};  // Where the kernel gives no instance.
  struct Parts {
    Watches& watches;
    Timers& timers;
    // Whether a path does not count, and nothing below it; `relative` is to its root.
    std::function<bool(const std::string& path, std::string_view relative)> ignored;
    std::function<void(const std::string& path)> changed;  // Must not end this watcher.
    std::function<void(const std::string& line)> notice;
    std::size_t max_directories = kMaxDirectories;
  };

  TreeWatch(const std::vector<std::string>& roots, Parts parts);  // Absolute paths.
  ~TreeWatch();
  TreeWatch(const TreeWatch&) = delete;
  TreeWatch& operator=(const TreeWatch&) = delete;

  std::size_t directories() const { return by_path_.size(); }
  bool is_scanning() const { return scan_timer_ != 0; }
  // No root that was there is gone just now: a deploy may be in the middle of replacing it.
  bool has_its_roots() const;

 private:
  struct Root {
    std::string path;
    internal::PathWay way;
    bool was_there = false;
  };
  struct Directory {
    std::size_t root = 0;
    std::string path;
  };
  struct Link {  // A step of a root's way.
    std::size_t root = 0;
    std::string name;
  };
  struct Pending {
    std::size_t root = 0;
    std::string path;
    bool is_new = false;  // What is in it counts as changes.
  };
  struct Reading {
    Pending of;
    internal::DirectoryEntries entries;
  };
  struct Event {
    int watch = 0;
    std::uint32_t mask = 0;
    std::string name;
  };

  void open();
  void forget_all();
  void look_at(std::size_t root);
  void place_links(std::size_t root);
  void drop_links(std::size_t root);
  void read_events();
  void handle(const Event& event);
  void handle_in_tree(const Directory& directory, const Event& event);
  void finish_batch();
  void scan();
  void begin(Pending next);
  void take(const Reading& reading, const internal::DirectoryEntries::Entry& entry);
  bool add_watch(int directory_fd, const Pending& of);
  void remember(int watch, const Pending& of);
  void want(Pending next);
  bool is_pending(const std::string& path) const;
  void remove_below(std::size_t root, const std::string& path);
  void forget(int watch);
  bool is_ignored(std::size_t root, const std::string& path) const;
  std::string_view below(std::size_t root, std::string_view path) const;
  void tell_once(const std::string& what, const std::string& line);

  Parts parts_;
  std::vector<Root> roots_;
  Fd inotify_;
  std::map<std::string, int> by_path_;  // Directories below the roots; sorted, for subtrees.
  std::unordered_map<int, Directory> by_watch_;
  std::multimap<int, Link> links_;
  std::deque<Pending> pending_;  // From the top down: where a bound is reached, that counts most.
  std::unique_ptr<Reading> reading_;
  std::set<std::size_t> roots_to_look_at_;
  std::set<std::string> told_;  // Kinds of trouble.
  Timers::Id scan_timer_ = 0, read_timer_ = 0, open_timer_ = 0;
  bool overflown_ = false;
  bool is_rescan_ = false;
};

}  // namespace pmx::supervisor
