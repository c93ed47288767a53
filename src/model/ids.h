// Identities that must not be swapped. All are numbers that are never used twice.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace pmx {

// PM2's pm_id: one slot of an app; kept over restarts.
struct WorkerId {
  std::uint32_t value = 0;
  auto operator<=>(const WorkerId&) const = default;
};

// One life of a worker: the keeper's tag of a child. max(realtime ns, last + 2), always even.
struct RunId {
  std::uint64_t value = 0;
  auto operator<=>(const RunId&) const = default;
};

enum class StreamKind : std::uint8_t { kOut = 1, kErr = 2 };
inline std::string_view name_of(StreamKind kind) {
  return kind == StreamKind::kOut ? "out" : "err";
}

// One pipe of one run. A restarted worker has new streams, so halves of lines never mix.
struct StreamId {
  std::uint64_t value = 0;
  auto operator<=>(const StreamId&) const = default;
};
inline StreamId stream_of(RunId run, StreamKind kind) {
  return {run.value + (kind == StreamKind::kErr ? 1U : 0U)};
}
inline RunId run_of(StreamId stream) { return {stream.value & ~std::uint64_t{1}}; }

// A log is its active file's absolute path; the id is that path's FNV-1a hash.
struct LogId {
  std::uint64_t value = 0;
  auto operator<=>(const LogId&) const = default;
  std::string hex() const;
};
LogId log_id_of(std::string_view active_path);

}  // namespace pmx

template <>
struct std::hash<pmx::StreamId> {
  std::size_t operator()(pmx::StreamId id) const noexcept {
    return id.value * 0x9E3779B97F4A7C15ULL;
  }
};
template <>
struct std::hash<pmx::LogId> {
  std::size_t operator()(pmx::LogId id) const noexcept { return id.value; }
};
