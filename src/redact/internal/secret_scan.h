// Finds the places of a line where a secret might begin, at memory speed: whoever asks looks there
// only. Says too much now and then, never too little.
//
// Thread: any; find() changes nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pmx::redact::internal {

// Places of: literals that begin with one of up to eight groups of three-byte prefixes, and runs of
// digits that are long enough for a card number.
class SecretScan {
 public:
  static constexpr std::size_t kGroups = 8;
  static constexpr std::size_t kPrefixBytes = 3;

  // One set of bytes a position; "" stands for any byte. ASCII letters stand for both their cases
  // where `any_case`. Literals of one group should resemble each other: their bytes mix.
  enum class Case { kExact, kAny };
  void add_prefix(std::size_t group, const std::array<std::string_view, kPrefixBytes>& bytes,
                  Case letters);
  void add_digits() { digits_ = true; }  // Eight of them, a separator after four allowed.

  // Appends the places: of a prefix its first byte, of digits the last of the first eight.
  void find(std::string_view text, std::vector<std::uint32_t>& places) const;
  // The same without vector instructions: what find() does on a machine that has none.
  void find_plainly(std::string_view text, std::vector<std::uint32_t>& places) const;

 private:
  struct Nibbles {
    std::array<std::uint8_t, 16> low{}, high{};  // Groups that a byte with this half may be in.
  };
  void add_byte(std::size_t position, std::uint8_t group_bit, unsigned char byte);
  void find_by_avx2(std::string_view text, std::vector<std::uint32_t>& places) const;

  std::array<Nibbles, kPrefixBytes> nibbles_{};
  bool digits_ = false;
};

}  // namespace pmx::redact::internal
