// What the files of dead letters do not say by themselves: whose they are, and how many letters
// their bound has taken.
//
// A rotation renames the current file over the old one, and with that the old one's letters are
// gone. How many these are is written before, with the old file's inode: who finds that inode still
// in its place knows that the rename has not come.
//
// Owns:    <path>, 0600, replaced as a whole and synced. Thread: ship.
// Errors:  a file that is no account counts from 0: no reason to keep a sink from its work.
// Format:  docs/FORMATS.md, "Dead letters".
#pragma once

#include <cstdint>
#include <string>

#include "base/fs.h"
#include "base/json.h"
#include "base/result.h"

namespace pmx::ship::internal {

inline constexpr const char* kAccountEnding = ".account";
// Of the file for the dead letters of this sink: by its name, or by its name and id where another
// sink of that name has the file. `name_is_shared`: with a sink that is in use.
Result<std::string> letters_path(Fs& files, const std::string& directory, const std::string& name,
                                 const std::string& id, bool name_is_shared);

class LetterAccount {
 public:
  LetterAccount(Fs& files, std::string path, std::string old_path, std::string sink)
      : files_(files),
        path_(std::move(path)),
        old_path_(std::move(old_path)),
        sink_(std::move(sink)) {}

  Result<void> load();   // Once, before the others: what the last daemon left.
  Result<void> claim();  // The files are our sink's from here on; before they are there.
  std::uint64_t dropped() const { return dropped_; }
  // The old file's letters will be dropped by the next rename over it; then, that it has come.
  Result<void> will_drop(std::uint64_t letters);
  void have_dropped();
  // Before the old file changes otherwise, and its inode says nothing any more.
  Result<void> settle();

 private:
  Result<void> write(const Json& dropping = Json());

  Fs& files_;
  std::string path_, old_path_, sink_;
  std::uint64_t dropped_ = 0;
  std::uint64_t dropping_ = 0;  // By the rename that is to come.
  bool open_ = false;           // The file says "perhaps".
  bool claimed_ = false;        // It says whose.
};

}  // namespace pmx::ship::internal
