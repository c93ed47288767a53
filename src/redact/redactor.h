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
  // Leaves nothing of any line: for rules that were good once and cannot be compiled any more.
  static std::unique_ptr<Redactor> of_everything();
  ~Redactor();
  // `text` itself where nothing matched; else a view into `scratch` (64 readable bytes behind it).
  // A JSON line stays valid JSON.
  std::string_view redact(std::string_view text, std::string& scratch);
  // The same for a line of several that begin_lines() began: a private key that is printed over
  // some of them is known, and nothing is left of any of these.
  std::string_view redact_line(std::string_view line, std::string& scratch);
  void begin_lines();
  // How much of whole lines can be looked at now: up to a private key whose end is still to come.
  std::size_t ready_bytes(std::string_view lines) const;
  // Where the piece ends that is looked at by itself, of a line of which `text` is the start and
  // whose rest is still to come: so that no secret is on both sides. All of it where there is no
  // such place, which takes a secret of nearly that size.
  std::size_t piece_bytes(std::string_view text);
  std::uint64_t redactions() const;  // Made so far by redact().

 private:
  Redactor();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pmx::redact
