// The kernel's file system with faults. Files are real (in a TempDir), so what a test reads
// afterwards is what a restarted daemon would find.
//
// Injects:
//   fail()             any call on paths that contain a text: any errno, for ever or n times
//   full_after()       ENOSPC after n more bytes, everywhere or on such paths; the last write is
//   short,
//                      as the kernel's is; renames, removals and reads go on
//   die_after()        the process ends once n more bytes are written: what the last write took
//                      before that stays, and `die` is called, which must not return
//   short_writes()     writes take at most n bytes, every other one none (what RealFs makes of
//   EINTR) short_reads()      reads give at most n bytes lose_unsynced()    power cut: each file is
//   as long as it was at its last sync_data() (new files: 0) set_disk_space()   what disk_space()
//   tells
// Never: reorders or damages bytes that were accepted, loses renames or directory entries, hangs,
// or fails a close().
//
// Owns:    its state; copies share it, so that one fault reaches every owner of an Fs.
// Thread:  any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"

namespace pmx::test {

class FaultFs final : public Fs {
 public:
  enum class Call {
    kOpen,
    kRead,
    kWrite,
    kTruncate,
    kSync,
    kInfo,
    kRename,
    kRemove,
    kList,
    kMakeDirectories
  };

  FaultFs() : state_(std::make_shared<State>()) {}

  void fail(Call call, std::string path_part, int sys_errno, int times = -1);
  void full_after(std::uint64_t bytes, std::string path_part = "");
  void die_after(std::uint64_t bytes, std::function<void()> die);
  void short_writes(std::size_t max_bytes);
  void short_reads(std::size_t max_bytes);
  void set_disk_space(DiskSpace space);
  void skip_real_syncs();  // They only cost time where lose_unsynced() is the power cut.
  void heal();             // Takes all faults back; the disk space too.
  void lose_unsynced();
  int calls(Call call) const;  // Failed ones too.

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode,
                                     mode_t permissions = 0600) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> rename_new(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directories(const std::string& path, mode_t permissions = 0700) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<DiskSpace> disk_space(const std::string& path) override;

  // What files and calls share.
  class State {
   public:
    // An injected failure of this call now, else nothing.
    std::optional<Error> fault(Call call, std::string_view path);
    // How many of `wanted` bytes the disk takes; an error where it is full.
    Result<std::size_t> admit_write(std::string_view path, std::size_t wanted);
    std::size_t admit_read(std::size_t wanted);

    struct Failure {
      Call call;
      std::string path_part;
      int sys_errno;
      int times;
    };
    mutable std::mutex mutex;
    std::vector<Failure> failures;
    // Part of `wanted` that is written before the process ends, where it ends within this write.
    std::optional<std::size_t> last_write(std::size_t wanted);

    std::optional<std::uint64_t> space_left_bytes, life_left_bytes;
    std::function<void()> die;
    std::string full_path_part;
    std::size_t max_write_bytes = 0, max_read_bytes = 0;  // 0: no bound.
    bool skip_next_write = false, skip_real_syncs = false;
    std::optional<DiskSpace> disk_space;
    std::map<Call, int> calls;
    struct Written {
      std::string path;  // Where it is now.
      std::uint64_t synced_bytes;
    };
    std::map<std::uint64_t, Written> written;  // Files opened for writing, by inode.
  };

 private:
  Result<void> moved(Result<void> result, const std::string& to);

  std::shared_ptr<State> state_;  // Shared by copies and by the open files, which may outlive them.
  RealFs real_;
};

}  // namespace pmx::test
