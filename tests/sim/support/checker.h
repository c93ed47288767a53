// The promises, checked on the files that a simulated run has left.
//
//   lines    each stream's lines once and in order, by rotate::LogReader and by the files' bytes
//   records  numbers and times increase, each stream's bytes are described without gap or overlap,
//            the sum of each DATA record is that of its bytes
//   torn     no line of the files is half a line
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "sim/support/log_under_test.h"

namespace pmx::sim {

class Checker {
 public:
  explicit Checker(std::string home) : home_(std::move(home)) {}

  // `tail`: up to where a stream is recorded in this log, nullopt where nobody knows now. Lines up
  // to there must be found and no other. `all_told`: nothing more will come.
  using Tail = std::function<std::optional<std::uint64_t>(const HeldStream&)>;
  void check(LogUnderTest& log, const Tail& tail, bool all_told);
  std::vector<std::string> problems;

 private:
  struct Chain;
  void check_records(const LogUnderTest& log);
  void check_segment(const LogUnderTest& log, std::uint64_t segment, Chain& chain);
  void check_reader(const LogUnderTest& log, const Tail& tail, bool all_told);
  void check_text(LogUnderTest& log, const Tail& tail, bool all_told);
  void problem(const LogUnderTest& log, const std::string& text);

  std::string home_;
  RealFs fs_;
};

}  // namespace pmx::sim
