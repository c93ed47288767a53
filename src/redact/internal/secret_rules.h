// What a secret looks like: the built-in rules and the deny list of JSON keys.
//
// Thread: any; check() changes nothing but `found`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "redact/internal/secret_scan.h"

namespace pmx::redact::internal {

// A part of a line that goes.
struct Secret {
  static constexpr std::uint32_t kText = 0xFFFFFFFF;
  std::size_t begin = 0, end = 0;
  // kText: any bytes. Else a whole JSON value, whose quotes have so many backslashes before them:
  // 0 in a JSON line, 1 where JSON is in a string of it, 3 one deeper.
  std::uint32_t backslashes = kText;
};

// Words that begin secrets: Authorization, Bearer, Basic, AKIA, ASIA, eyJ, -----BEGIN, ://, card
// numbers; and keys.
class SecretRules {
 public:
  void use_builtin();
  // Case does not matter; '-' and '_' are the same and may be missing.
  void add_key(std::string_view key);
  bool any() const { return builtin_ || !keys_.empty(); }

  void find(std::string_view text, std::vector<Secret>& found);

 private:
  void check(std::string_view text, std::size_t at, std::vector<Secret>& found);
  void check_key(std::string_view text, std::size_t at, std::vector<Secret>& found);
  void check_card(std::string_view text, std::size_t at, std::vector<Secret>& found);

  SecretScan scan_;
  bool builtin_ = false;
  std::vector<std::string> keys_;
  std::vector<std::uint32_t> places_;
  // What begins before these is in something that was found. Looked at again it would cost the
  // square of a line that somebody made of nested keys or of headers.
  std::size_t cards_until_ = 0, values_until_ = 0, parts_until_ = 0;
};

}  // namespace pmx::redact::internal
