// Checks one JSON object, token by token, and keeps its top-level members.
//
// simdjson's first stage says where tokens begin (and that the text is UTF-8 with closed strings
// and no raw control bytes in them); its own second stages do not fit: DOM costs 95 ns a line of
// 206 bytes and refuses whole numbers above 64 bits, On-Demand does not look into what is
// skipped. A sink puts the object into its request as it is, so "valid" must be the whole truth.
//
// Thread: any, one at a time. Bounds: kMaxDepth levels, then it is no object.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ship/json_member.h"

namespace pmx::ship::internal {

class JsonWalk {
 public:
  static constexpr unsigned kMaxDepth = 64;  // Of containers within the object: a word's bits.

  struct Escapes {
    const char* first = nullptr;  // The first and the last backslash; nullptr: there is none.
    const char* last = nullptr;
  };

  // `tokens` are the offsets of stage 1, in order; both must be there as long as members are asked
  // for. False: no whole valid object.
  bool read(std::string_view text, std::span<const std::uint32_t> tokens);
  std::span<JsonMember> members() { return {members_.data(), member_count_}; }
  // The members of an object that read() has found valid; as long as no other is asked for.
  std::span<JsonMember> members_of(const JsonMember& object);

 private:
  std::string_view text_;
  std::span<const std::uint32_t> tokens_;
  Escapes escapes_;
  // Kept, since each line has about as many as the one before.
  std::vector<JsonMember> members_, nested_;
  std::size_t member_count_ = 0;
};

// Appends what the escapes stand for; a surrogate without its other half becomes U+FFFD (Node's
// JSON.stringify writes such where a string was cut). `raw` is valid.
void append_unescaped(std::string_view raw, std::string& out);

}  // namespace pmx::ship::internal
