// One line as Loki takes it, in both encodings of the push API (pkg/push/push.proto, and the JSON
// of POST /loki/api/v1/push).
//
//   protobuf  12 <n> { 0A <n> { 08 <seconds> 10 <nanos> } 12 <n> <line> 1A <n> <pair> … }
//             Entry, tagged as field 2 of Stream; a pair is 0A <n> <name> 12 <n> <value>
//   JSON      ,["<ns>","<line>",{"<name>":"<value>", …}]
//
// Metadata can be taken from an item without changing its size, for a store that does not allow
// any: protobuf's field 3 becomes field 15, which the store skips as unknown; JSON's become spaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pmx::ship::internal {

enum class LokiEncoding : std::uint8_t { kProtobuf, kJson };

// Metadata is built of pairs first, and then put into any number of entries. The names are ours:
// nothing in them is to be escaped.
void append_pair(std::string& metadata, LokiEncoding encoding, std::string_view name,
                 std::string_view value);
void append_pair(std::string& metadata, LokiEncoding encoding, std::string_view name,
                 std::uint64_t number);
// `fixed` and `own` are metadata of append_pair(), both or the second may be empty.
void append_entry(std::string& out, LokiEncoding encoding, std::int64_t time_ns,
                  std::string_view line, std::string_view fixed, std::string_view own);

void append_varint(std::string& out, std::uint64_t value);
std::size_t varint_bytes(std::uint64_t value);

// `item` is one entry. nullopt: it is none.
std::optional<std::string> line_of(std::string_view item, LokiEncoding encoding);
// Its metadata, name and value; hidden ones too where they can still be read. Empty: it has none.
std::vector<std::pair<std::string, std::string>> metadata_of(std::string_view item,
                                                             LokiEncoding encoding);
// Bytes of the line in it; 0 where it is no entry.
std::size_t line_bytes(std::string_view item, LokiEncoding encoding);
// Of any number of entries one behind the other.
void hide_metadata(std::string& items, LokiEncoding encoding);

}  // namespace pmx::ship::internal
