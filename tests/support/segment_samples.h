// Small segments for tests: text and the records that describe it, as a writer would have left
// them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rotate/segment_format.h"

namespace pmx::test {

// A HEAD, one DATA record a line of `text`, and a SEAL.
inline std::vector<rotate::Record> records_of(const std::string& text, std::uint64_t segment,
                                              std::int64_t time_ns = 1'795'428'000'000'000'000) {
  using rotate::Record;
  using rotate::RecordType;
  std::vector<Record> records;
  const auto add = [&](RecordType type, Record record) {
    record.type = static_cast<std::uint8_t>(type);
    record.crc = rotate::record_crc(record, segment);
    records.push_back(record);
  };
  Record head;
  head.raw_end = segment;
  head.file_len = rotate::kFormatVersion;
  add(RecordType::kHead, head);
  std::uint64_t seq = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t newline = text.find('\n', begin);
    const std::size_t end = newline == std::string::npos ? text.size() : newline + 1;
    Record data;
    data.raw_end = data.file_end = end;
    data.raw_len = data.file_len = static_cast<std::uint32_t>(end - begin);
    data.seq = seq++;
    data.time_ns = time_ns++;
    data.lines = 1;
    data.data_sum = rotate::data_sum(std::string_view(text).substr(begin, end - begin));
    add(RecordType::kData, data);
    begin = end;
  }
  Record seal;
  seal.file_end = text.size();
  seal.seq = seq;
  seal.time_ns = time_ns;
  add(RecordType::kSeal, seal);
  return records;
}

inline std::string numbered_lines(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += "{\"level\":30,\"n\":" + std::to_string(i) + ",\"msg\":\"line " +
            std::to_string(i * 7919) + "\"}\n";
  return text;
}

}  // namespace pmx::test
