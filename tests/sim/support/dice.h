// All chance of one simulated run: the same seed gives the same run on every machine.
#pragma once

#include <cstdint>

namespace pmx::sim {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  // splitmix64, by Sebastiano Vigna (public domain): the standard's distributions differ between
  // libraries.
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return least + below(most - least + 1);
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class Range>
  auto& pick(Range& range) {
    return range[below(range.size())];
  }

 private:
  std::uint64_t state_;
};

}  // namespace pmx::sim
