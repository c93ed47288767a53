// The bytes of an index: 64-byte records at multiples of 64, little endian. docs/FORMATS.md is
// normative; the static_asserts below hold this file to it.
//
// A DATA record describes bytes that are already wholly in the log's file: readers need no other
// rule. Records never cross a page, so that a kill cannot tear one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/severity.h"

namespace pmx::rotate {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kRecordBytes = 64;
inline constexpr std::uint64_t kMaxRecords = 262'144;  // A segment is sealed then; bounds recovery.

enum class RecordType : std::uint8_t {
  kHead = 1,     // First record of every index.
  kPrev = 2,     // Inode of the active file before this segment; 0: nothing to rename.
  kStream = 3,   // Binds a stream to a number local to this index.
  kOpen = 4,     // The active file is open: its inode and the size it had.
  kData = 5,     // One batch.
  kSeal = 6,     // The segment is done; its file will get its sealed name.
  kEnd = 7,      // A stream has ended and all of it is recorded.
  kName = 8,     // The sealed name was taken: a number that makes another one.
  kDropped = 9,  // Lines that are not in the file, and why.
};

namespace flags {
inline constexpr std::uint8_t kPartial = 1;  // DATA: the last line has no newline yet.
inline constexpr std::uint8_t kForeign =
    2;  // HEAD: a clean start of a log whose file was there before.
inline constexpr std::uint8_t kCut =
    4;  // HEAD: somebody truncated, renamed or deleted the file. DATA: a newline was added.
inline constexpr std::uint8_t kRecovered =
    8;  // DATA, HEAD: found in the file, times are estimates.
inline constexpr std::uint8_t kContinues =
    16;  // DATA: the first line continues the stream's last one.
inline constexpr std::uint8_t kUnparsed = 32;    // DATA: severities were not counted.
inline constexpr std::uint8_t kUnclean = 64;     // HEAD: the rings were lost before this segment.
inline constexpr std::uint8_t kClockStep = 128;  // DATA: the clock had gone back by more than 10 s.
inline constexpr std::uint8_t kAtEnd =
    1;  // STREAM: already ended. (kContinues: in the middle of a line.)
}  // namespace flags

enum class DropReason : std::uint16_t { kDiskFull = 1, kUnclean = 2, kUser = 3, kRetention = 4 };

// Field use by type; fields not named are 0.
//   HEAD     raw_end segment, file_end log position of offset 0, seq next line, time_ns last time
//   used,
//            raw_len epoch, file_len format version, data_sum lines dropped so far (at most 2^32 -
//            1)
//   PREV     raw_end inode
//   STREAM   stream local number, raw_end tail, seq StreamId, raw_len WorkerId, lines StreamKind,
//            data_sum RenderSpec::Kind, file_len low half of the FNV-1a hash of the app's name
//   OPEN     raw_end inode, file_end size found, time_ns of opening, data_sum low half of the boot
//   id's hash DATA     stream, raw_end/file_end after the batch, seq and time_ns of its first line
//   (line k has
//            time_ns + k), raw_len, file_len, data_sum (low 32 bits of XXH3-64 of the file's
//            bytes), lines, counts
//   SEAL     file_end final size, seq next line, time_ns last time used
//   END      stream, raw_end tail
//   NAME     raw_end number appended to the sealed name
//   DROPPED  raw_end lines dropped, seq of the first of them, file_end/file_len/data_sum of the
//   line in the
//            file that says so (file_len 0: none), raw_len KiB dropped, time_ns, lines DropReason
struct Record {
  std::uint32_t crc = 0;  // crc32c of bytes 4..63, seeded by the segment's number.
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint16_t stream = 0;
  std::uint64_t raw_end = 0;
  std::uint64_t file_end = 0;
  std::uint64_t seq = 0;
  std::int64_t time_ns = 0;
  std::uint32_t raw_len = 0;
  std::uint32_t file_len = 0;
  std::uint32_t data_sum = 0;
  std::uint16_t lines = 0;
  SeverityCounts severities;

  RecordType record_type() const { return static_cast<RecordType>(type); }
  bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};
static_assert(sizeof(Record) == kRecordBytes);
static_assert(offsetof(Record, raw_end) == 8 && offsetof(Record, time_ns) == 32);
static_assert(offsetof(Record, data_sum) == 48 && offsetof(Record, severities) == 54);

std::uint32_t record_crc(const Record& record, std::uint64_t segment);
inline bool valid(const Record& record, std::uint64_t segment) {
  return record.type != 0 && record.crc == record_crc(record, segment);
}
inline std::string_view bytes_of(std::span<const Record> records) {
  return {reinterpret_cast<const char*>(records.data()), records.size_bytes()};
}
std::uint32_t data_sum(std::string_view bytes);
// The longest run of valid records from the start; a HEAD of `segment` must come first, else empty.
std::vector<Record> valid_records(std::string_view index_bytes, std::uint64_t segment);

// What the writer is about to do, in a page of memory that the keeper holds: written by plain
// stores before the data, so that the next daemon can finish exactly this. Outstanding while
// `segment` is the current one and record `slot + n - 1` is not in the index; so nothing is ever
// cleared.
inline constexpr std::size_t kMaxIntentRecords = 60;
struct Intent {
  std::uint32_t crc = 0;  // crc32c of bytes 4 up to the end of the n-th record.
  std::uint32_t n = 0;
  std::uint64_t segment = 0;
  std::uint64_t slot = 0;   // Of the first record in the index.
  std::uint64_t begin = 0;  // File size before the batch.
  Record records[kMaxIntentRecords];
};
inline constexpr std::size_t kIntentBytes = 4096;
static_assert(sizeof(Intent) <= kIntentBytes && offsetof(Intent, records) == 32);
std::uint32_t intent_crc(const Intent& intent);

}  // namespace pmx::rotate
