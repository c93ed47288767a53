// So many lines a second for each app, by the lines' own times: a backlog that is read in a minute
// is limited as it would have been when it was written.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace pmx::ship::internal {

class RateLimit {
 public:
  explicit RateLimit(std::uint64_t lines_per_second = 0);

  // Takes `lines` of what the app may send, or counts them as suppressed. 0 a second: no limit.
  bool admit(std::string_view app, std::int64_t time_ns, std::uint32_t lines);
  std::uint64_t take_suppressed(std::string_view app);

 private:
  struct Bucket {
    std::int64_t time_ns = 0;
    std::int64_t line_ns = 0;  // Lines that may come, times a second in ns; below 0: on credit.
    std::uint64_t suppressed = 0;
  };
  std::int64_t rate_;
  std::map<std::string, Bucket, std::less<>> buckets_;  // By app.
};

}  // namespace pmx::ship::internal
