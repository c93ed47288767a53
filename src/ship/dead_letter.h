// What a store refused for good, kept for people to read and for `pmx ship retry` to send again.
//
// One JSON object a line in <home>/dead/<sink>.ndjson. When it holds half of the bound it becomes
// <sink>.ndjson.1, in the place of the one that was there: the oldest half goes, and is counted in
// <sink>.ndjson.account.
//
// <sink> is the sink's name. Where another sink of that name has the file, it is the name with the
// beginning of our sink's id: letters never go to another store than theirs.
//
// Owns:       the files, 0600 in a directory 0700. Thread: ship.
// Invariants: an append is in the file as a whole or not at all; what a kill -9 cut off is ended at
//             the next open and skipped by read().
// Bounds:     max_bytes, or twice one append where that is more.
// Errors:     after any of them the letters are as they were: call again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "model/ids.h"
#include "ship/internal/letter_account.h"

namespace pmx::ship {

struct DeadLetter {
  std::int64_t time_ns = 0;
  std::string app;
  std::string stream;  // The store's, for people: "{app=\"api\", stream=\"out\"}", an index.
  int status = 0;
  std::string reason;  // Ours, short: what is counted by.
  std::string store;   // The store's own words.
  std::string line;    // The text, for people.
  std::uint64_t seq = 0;
  std::uint32_t lines = 1;  // Sequence numbers that it stands for.
  LogId log;
  std::string item;    // The item's bytes: exactly what is to be sent again.
  std::string coding;  // Sink::coding() of the item; "": an older file does not say.
  std::string group;   // Sink::name_of() of its group; Sink::group_named() finds it again.
  bool operator==(const DeadLetter&) const = default;
};

class DeadLetters {
 public:
  static constexpr std::uint64_t kDefaultMaxBytes = 64U << 20U;

  // A place among the letters; holds as long as this object does, over rotations and retries.
  using Place = std::uint64_t;
  struct Entry {
    DeadLetter letter;
    Place end = 0;  // Behind it.
  };
  struct Page {
    std::vector<Entry> entries;
    Place next = 0;             // Where to go on. Where `entries` is empty: nothing is left.
    std::uint64_t skipped = 0;  // Lines that are no letters.
  };
  struct Counts {
    std::uint64_t waiting = 0;        // Letters in the files.
    std::uint64_t waiting_bytes = 0;  // Of both files.
    std::uint64_t dropped = 0;        // Gone because of the bound, ever.
    std::uint64_t appended = 0;       // This and the next: since the object was made.
    std::uint64_t retried = 0;        // Taken out by take_retried().
    std::uint64_t torn = 0;           // Ended at open.
  };

  struct Owner {
    std::string name;             // Of the sink.
    std::string id = {};          // sink_id().
    bool name_is_shared = false;  // With a sink that is in use, too.
  };
  static Result<std::unique_ptr<DeadLetters>> open(Fs& files, const std::string& home,
                                                   const Owner& owner,
                                                   std::uint64_t max_bytes = kDefaultMaxBytes);
  // Of a sink that is gone: files in which nothing is.
  void remove_empty();

  Result<void> append(std::span<const DeadLetter> letters);
  Result<void> sync();  // Before the cursor is saved that has gone past them.

  // In order, at most about `max_bytes` of the file, at least one letter where there is one.
  // A place that has gone by the bound means the oldest that is left.
  Result<Page> read(Place from, std::size_t max_bytes = 1U << 20U);
  // Removes everything before `up_to`, an Entry's `end` or a Page's `next`.
  Result<void> take_retried(Place up_to);

  Place begin() const { return begin_; }
  Place end() const { return begin_ + old_.size_bytes + current_.size_bytes; }
  Counts counts() const;
  const std::string& path() const { return current_.path; }

 private:
  struct Half {
    std::string path;
    std::uint64_t size_bytes = 0;
    std::uint64_t letters = 0;
  };
  DeadLetters(Fs& files, std::string directory, std::string path, std::string sink,
              std::uint64_t max_bytes);
  Result<void> find(Half& half);
  Result<void> find_torn_line();
  Result<void> open_current();
  Result<void> write(std::string_view bytes);
  Result<void> rotate();
  Result<std::string> read_lines(const Half& half, std::uint64_t offset, std::size_t max_bytes);
  Result<std::uint64_t> copy_rest(const Half& half, std::uint64_t bytes,
                                  const std::string& to_path);
  Result<void> cut_front(Half& half, std::uint64_t bytes);
  Result<void> remove_old();
  Result<void> empty_current();

  Fs& files_;
  std::string directory_;
  std::uint64_t max_bytes_;
  Half old_, current_;
  internal::LetterAccount account_;
  Place begin_ = 0;  // Of old_'s first byte.
  std::unique_ptr<File> file_;
  bool ragged_ = false;   // Behind current_.size_bytes are bytes of an append that failed.
  bool unended_ = false;  // The last line is torn and has no end yet.
  bool unnamed_ = false;  // The directory is not synced since the file was made.
  Counts counts_;
};

}  // namespace pmx::ship
