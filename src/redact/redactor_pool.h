// Compiled rules, shared by all streams whose rules are the same: a pattern of RE2 may grow to some
// MiB while it works, and a thousand workers of one app need one.
//
// Thread: one.
#pragma once

#include <memory>
#include <vector>

#include "model/redact_rules.h"
#include "redact/redactor.h"

namespace pmx::redact {

class RedactorPool {
 public:
  // nullptr where the rules ask for nothing. Shared, because whoever is the last to use it ends it.
  Result<std::shared_ptr<Redactor>> get(const RedactRules& rules);

 private:
  struct Entry {
    RedactRules rules;
    std::weak_ptr<Redactor> redactor;
  };
  std::vector<Entry> entries_;
};

}  // namespace pmx::redact
