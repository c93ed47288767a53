// How fast streams are, from one process to the next: <state>/ship/<sink id>/rates.json,
// and what an earlier process wrote there of streams that this one has not met yet.
//
// Bounds: one row a busy stream; rows older than kForgotten, or of before a boot, are left out.
// Format: docs/FORMATS.md, "Shipping".
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "ship/internal/stream_shards.h"

namespace pmx::ship::internal {

class KeptRates {
 public:
  using Rates = std::map<std::string, StreamShards::Measure>;  // By the stream's labels.
  static constexpr std::chrono::nanoseconds kForgotten = std::chrono::minutes(10);

  void read(std::string_view json, std::chrono::nanoseconds now);
  // The caller has met the stream, and tells of it from now on.
  std::optional<StreamShards::Measure> take(const std::string& labels);
  void put(const std::string& labels, const StreamShards::Measure& measure);
  std::string text(Rates met) const;  // Of these and of those that nobody has taken.

 private:
  Rates unmet_;
};

}  // namespace pmx::ship::internal
