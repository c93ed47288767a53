#include "rotate/segment_format.h"

#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // The widest vectors that this processor has: half the time.
#else
#include <xxhash.h>
#endif

#include <cstring>

#include "base/crc32c.h"

namespace pmx::rotate {

std::uint32_t record_crc(const Record& record, std::uint64_t segment) {
  const auto seed = static_cast<std::uint32_t>(segment * 2654435761U + 1);
  return crc32c(reinterpret_cast<const char*>(&record) + 4, kRecordBytes - 4, seed);
}

std::uint32_t data_sum(std::string_view bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

std::vector<Record> valid_records(std::string_view index_bytes, std::uint64_t segment) {
  std::vector<Record> records;
  records.reserve(index_bytes.size() / kRecordBytes);
  for (; index_bytes.size() >= kRecordBytes; index_bytes.remove_prefix(kRecordBytes)) {
    Record record;
    std::memcpy(&record, index_bytes.data(), kRecordBytes);
    if (!valid(record, segment)) break;
    if (records.empty() && (record.record_type() != RecordType::kHead || record.raw_end != segment))
      break;
    records.push_back(record);
  }
  return records;
}

std::uint32_t intent_crc(const Intent& intent) {
  const std::size_t n = intent.n <= kMaxIntentRecords ? intent.n : 0;
  return crc32c(reinterpret_cast<const char*>(&intent) + 4,
                offsetof(Intent, records) - 4 + n * kRecordBytes);
}

}  // namespace pmx::rotate
