// Takes secrets out of lines, before they reach the disk or leave the machine: built-in rules, own
// RE2 patterns, JSON keys. A literal prefilter keeps lines without any suspicious byte sequence at
// memory speed.
// Thread: one at a time an object.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/redact_rules.h"

namespace pmx::redact {

class Redactor {
 public:
  static Result<std::unique_ptr<Redactor>> create(const RedactRules& rules);
  ~Redactor();
  // `text` itself where nothing matched; else a view into `scratch` (64 readable bytes behind it).
  // A JSON line stays valid JSON.
  std::string_view redact(std::string_view text, std::string& scratch);
  std::uint64_t redactions() const;  // Made so far.

 private:
  Redactor();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pmx::redact
