// What is taken out of lines: of a store's copy (SinkSpec), or of everything that reaches the disk
// (RenderSpec).
#pragma once

#include <string>
#include <vector>

namespace pmx {

struct RedactRules {
  bool builtin = false;               // Tokens, keys, passwords in URLs, cards.
  std::vector<std::string> patterns;  // RE2; what matches becomes "[redacted]".
  std::vector<std::string> keys;      // JSON keys at any depth whose value goes.
  bool operator==(const RedactRules&) const = default;
  bool any() const { return builtin || !patterns.empty() || !keys.empty(); }
};

}  // namespace pmx
