#include "ship/internal/kept_rates.h"

#include "base/json.h"

namespace pmx::ship::internal {

using std::chrono::nanoseconds;

void KeptRates::read(std::string_view json, nanoseconds now) {
  const auto all = Json::parse(json);
  if (!all) return;
  for (const auto& [labels, rate] : all->members()) {
    const nanoseconds begin(rate["begin_ns"].as_int());
    if (begin > now || now - begin > kForgotten) continue;
    unmet_[labels] = {static_cast<unsigned>(rate["shards"].as_int(1)),
                      static_cast<std::uint64_t>(rate["bytes"].as_int()), begin,
                      nanoseconds(rate["quiet_ns"].as_int())};
  }
}

std::optional<StreamShards::Measure> KeptRates::take(const std::string& labels) {
  const auto row = unmet_.extract(labels);
  if (row.empty()) return std::nullopt;
  return row.mapped();
}

void KeptRates::put(const std::string& labels, const StreamShards::Measure& measure) {
  unmet_[labels] = measure;
}

std::string KeptRates::text(Rates met) const {
  met.insert(unmet_.begin(), unmet_.end());
  Json all = Json::object();
  for (const auto& [labels, measure] : met)
    all.set(labels, Json::object({{"shards", measure.count},
                                  {"bytes", measure.bytes},
                                  {"begin_ns", measure.begin.count()},
                                  {"quiet_ns", measure.quiet.count()}}));
  return all.dump();
}

}  // namespace pmx::ship::internal
