// An index of any bytes: valid_records() gives a prefix of them, all valid, and the same prefix
// again when the rest is cut off, changed or grown. Input as it is, and with its checksums made
// right, so that the fuzzer also gets behind them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "rotate/segment_format.h"

namespace {

using pmx::rotate::kRecordBytes;
using pmx::rotate::Record;

void must(bool condition) {
  if (!condition) std::abort();
}

void check_index(std::string_view index, std::uint64_t segment) {
  const std::vector<Record> records = pmx::rotate::valid_records(index, segment);
  must(records.size() <= index.size() / kRecordBytes);
  const std::string_view kept = index.substr(0, records.size() * kRecordBytes);
  must(pmx::rotate::bytes_of(records) == kept);
  if (!records.empty()) must(records[0].record_type() == pmx::rotate::RecordType::kHead);
  for (const Record& record : records) must(pmx::rotate::valid(record, segment));

  must(pmx::rotate::valid_records(kept, segment).size() == records.size());
  must(pmx::rotate::valid_records(std::string(kept) + std::string(kRecordBytes, '\0'), segment)
           .size() == records.size());
  if (!records.empty()) {
    must(pmx::rotate::valid_records(kept.substr(0, kept.size() - 1), segment).size() ==
         records.size() - 1);
    must(pmx::rotate::valid_records(kept, segment + 1).empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  if (size_bytes < 1) return 0;
  const std::uint64_t segment = data[0];
  std::string index(reinterpret_cast<const char*>(data) + 1, size_bytes - 1);
  check_index(index, segment);
  for (std::size_t at = 0; at + kRecordBytes <= index.size(); at += kRecordBytes) {
    Record record;
    std::memcpy(&record, index.data() + at, kRecordBytes);
    if (at == 0) {
      record.type = static_cast<std::uint8_t>(pmx::rotate::RecordType::kHead);
      record.raw_end = segment;
    }
    record.crc = pmx::rotate::record_crc(record, segment);
    std::memcpy(index.data() + at, &record, kRecordBytes);
  }
  check_index(index, segment);
  return 0;
}
