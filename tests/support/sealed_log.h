// A log's directory as rotation leaves it: sealed segments with indexes, an active file.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/time_text.h"
#include "rotate/archive.h"
#include "rotate/log_dir.h"
#include "support/fault_fs.h"
#include "support/segment_samples.h"
#include "support/temp_dir.h"

namespace pmx::test {

class SealedLog {
 public:
  static constexpr std::int64_t kHourNs = 3'600'000'000'000;
  static constexpr std::int64_t kFirstSealNs = 1'795'428'000'000'000'000;  // 2026-11-23T10:00:00Z

  SealedLog(FaultFs& fs, const TempDir& home, const std::string& name)
      : fs_(fs), dir(home / "state", home / ("logs/" + name)) {
    EXPECT_TRUE(fs_.make_directories(home / "logs"));
    EXPECT_TRUE(fs_.make_directories(dir.index_directory()));
    put(dir.active_path(), "active\n");
  }

  // Segment n is sealed n hours after the first time.
  static rotate::SealedName name(std::uint64_t segment,
                                 Compression compression = Compression::kNone) {
    return {segment, utc_file_stamp(kFirstSealNs + static_cast<std::int64_t>(segment) * kHourNs), 0,
            compression};
  }
  std::string plain(std::uint64_t segment) const { return dir.sealed_path(name(segment)); }
  std::string packed(std::uint64_t segment) const {
    return dir.sealed_path(name(segment, Compression::kZstd));
  }

  void put(const std::string& path, std::string_view bytes) {
    const auto done = fs_.replace_file(path, bytes, 0640);
    EXPECT_TRUE(done) << done.error().message();
  }
  // Plain, with its index.
  void seal(std::uint64_t segment, const std::string& text = "one\ntwo\n") {
    put(plain(segment), text);
    put_index(segment, text);
  }
  void put_index(std::uint64_t segment, const std::string& text = "") {
    put(dir.index_path(segment), rotate::bytes_of(records_of(text, segment)));
  }
  // Packed, as the packer would leave it.
  void pack(std::uint64_t segment, const std::string& text = "one\ntwo\n") {
    pack_beside(segment, text);
    EXPECT_TRUE(fs_.remove(plain(segment)));
    EXPECT_TRUE(fs_.remove(dir.index_path(segment)));
  }
  void pack_beside(std::uint64_t segment, const std::string& text = "one\ntwo\n") {
    seal(segment, text);
    EXPECT_TRUE(
        rotate::pack_segment(fs_, plain(segment), records_of(text, segment), packed(segment), {}));
  }

  // "1 2.zst" …
  std::string sealed() {
    std::string names;
    const auto files = dir.sealed_files(fs_);
    EXPECT_TRUE(files);
    for (const rotate::SealedFile& file : *files)
      names += (names.empty() ? "" : " ") + std::to_string(file.name.segment) +
               std::string(rotate::extension_of(file.name.compression));
    return names;
  }
  std::string indexes() {
    std::string names;
    for (const std::uint64_t segment : *dir.index_segments(fs_))
      names += (names.empty() ? "" : " ") + std::to_string(segment);
    return names;
  }

 private:
  FaultFs& fs_;

 public:
  const rotate::LogDir dir;
};

}  // namespace pmx::test
