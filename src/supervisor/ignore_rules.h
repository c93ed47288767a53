// What does not count when files are watched: always node_modules and what begins with a dot, and
// the user's ignore_watch. An entry of it is one of
//
//   tmp              a name: wherever it stands below a watched root, with all below it
//   build/out, /a/b  a path, relative to cwd or absolute, with all below it
//   *.log, src/**    a glob: without a slash of the last name, else of the path relative to cwd;
//                    * ? [a-z] [!a-z] {a,b} stay within a name, ** does not
//   /\.tmp$/         a regular expression (RE2), found anywhere in the path relative to cwd
//
// A watcher asks about every directory on its way down, so what is below an ignored one is never
// asked about.
//
// Thread:  any; const after create().
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pmx::supervisor {

class IgnoreRules {
 public:
  // Error: an entry that is none of these; it names the entry and says why.
  static Result<void> check(const std::string& entry);
  // Entries that check() refuses are left out: config has refused them before.
  IgnoreRules(const std::vector<std::string>& entries, std::string cwd);
  ~IgnoreRules();
  IgnoreRules(IgnoreRules&&) noexcept;
  IgnoreRules& operator=(IgnoreRules&&) noexcept;

  void add_path(std::string path);  // Absolute; all below it too.
  // `relative`: of the absolute `path`, to the watched root; "": the root itself.
  bool matches(const std::string& path, std::string_view relative) const;

 private:
  struct Pattern;
  bool is_below_listed_path(std::string_view path) const;

  std::string cwd_;
  std::vector<std::string> names_, paths_;
  std::vector<std::unique_ptr<Pattern>> patterns_;
};

// "/a/b/c" below "/a" is "b/c"; "" is "/a" itself. Not below: the path as it is.
std::string_view relative_to(std::string_view directory, std::string_view path);
bool is_below(std::string_view directory, std::string_view path);  // Or the directory itself.

}  // namespace pmx::supervisor
