#include "redact/redactor_pool.h"

#include <algorithm>

namespace pmx::redact {

Result<std::shared_ptr<Redactor>> RedactorPool::get(const RedactRules& rules) {
  if (!rules.any()) return std::shared_ptr<Redactor>();
  std::erase_if(entries_, [](const Entry& entry) { return entry.redactor.expired(); });
  const auto known = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.rules == rules; });
  if (known != entries_.end()) return known->redactor.lock();
  std::shared_ptr<Redactor> redactor = PMX_TRY(Redactor::create(rules));
  entries_.push_back({rules, redactor});
  return redactor;
}

}  // namespace pmx::redact
