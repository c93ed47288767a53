#include "base/backoff.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace pmx {

Backoff::Backoff(std::chrono::milliseconds min, std::chrono::milliseconds max, std::uint64_t seed)
    : min_(min), max_(max), state_(seed) {
  PMX_CHECK(min.count() > 0 && min <= max);
}

// splitmix64 (Steele, Lea, Flood 2014): eight bytes of state, any seed is good, and unlike the
// standard's distributions the same numbers with every library.
std::uint64_t Backoff::draw() {
  state_ += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

std::chrono::milliseconds Backoff::next() {
  if (failures_ < std::numeric_limits<unsigned>::max()) ++failures_;
  auto ceiling = min_;
  for (unsigned i = 0; i < failures_ && ceiling < max_; ++i)
    ceiling = ceiling > max_ / 2 ? max_ : ceiling * 2;
  const auto span = static_cast<std::uint64_t>((ceiling - min_).count()) + 1;
  return min_ + std::chrono::milliseconds(draw() % span);
}

}  // namespace pmx
