// Named places at which tests kill the daemon, one for each commit point of docs/FORMATS.md,
// "Recovery". They are in every build, because the build that ships is the one to be killed:
// unarmed they cost one predicted branch.
//
// PMX_CRASH_POINTS="after_splice:60,redo_half:1" makes the daemon's first incarnation die by
// SIGKILL at its 60th pass of after_splice and its second at the first pass of redo_half. The
// keeper numbers the incarnations.
#pragma once

#include <array>
#include <string_view>

namespace pmx {

enum class CrashPoint : unsigned char {
  kStart,
  kAfterSplice,
  kRingEndBeforeSeek,
  kRingEndAfterSeek,
  kIntentHalf,
  kAfterIntent,
  kDataHalf,
  kAfterData,
  kRecordHalf,
  kAfterRecord,
  kSealHalf,
  kAfterSeal,
  kNewIndexHalf,
  kNewIndexWhole,
  kNewIndexNamed,
  kAfterRename,
  kAfterCreate,
  kOpenHalf,
  kAfterOpen,
  kEndSeen,
  kBeforeEnd,
  kEndHalf,
  kAfterEnd,
  kRecoverIndexCut,
  kRecoverLogOpened,
  kRecoverSeek,
  kRedoHalf,
  kRedoBeforeRecord,
  kAfterRedo,
  kRecovered,
  kBeforePut,
  kAfterPut,
  kBeforeSpawn,
  kAfterSpawn,
  kExitSeen,
  kExitSaved,
  kMessageActedOn,
  kBindTaken,
  kArchiveHalf,
  kArchiveWhole,
  kArchiveNamed,
  kAfterRetire,
  kCount,
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(CrashPoint::kCount)>
    kCrashPointNames{
        "start",
        "after_splice",
        "ring_end_before_seek",
        "ring_end_after_seek",
        "intent_half",
        "after_intent",
        "data_half",
        "after_data",
        "record_half",
        "after_record",
        "seal_half",
        "after_seal",
        "new_index_half",
        "new_index_whole",
        "new_index_named",
        "after_rename",
        "after_create",
        "open_half",
        "after_open",
        "end_seen",
        "before_end",
        "end_half",
        "after_end",
        "recover_index_cut",
        "recover_log_opened",
        "recover_seek",
        "redo_half",
        "redo_before_record",
        "after_redo",
        "recovered",
        "before_put",
        "after_put",
        "before_spawn",
        "after_spawn",
        "exit_seen",
        "exit_saved",
        "message_acted_on",
        "bind_taken",
        "archive_half",
        "archive_whole",
        "archive_named",
        "after_retire",
    };
static_assert(!kCrashPointNames.back().empty(), "a point without its name");

namespace crash_points {
extern bool armed;  // Set once, before the first thread starts.
// `spec` as in PMX_CRASH_POINTS; only its entry number `incarnation` (from 0) is armed.
void arm(std::string_view spec, unsigned long incarnation);
bool due(CrashPoint point);  // True at the pass that shall be the last; counts passes.
[[noreturn]] void die();     // SIGKILL to ourselves.
// In place of the SIGKILL: the simulation dies many times in one process. Does not return to die().
extern void (*on_death)();
}  // namespace crash_points

inline void crash_point(CrashPoint point) {
  if (crash_points::armed && crash_points::due(point)) [[unlikely]]
    crash_points::die();
}
// For points that lie inside one system call: the caller does half of it, then dies.
inline bool crash_due(CrashPoint point) { return crash_points::armed && crash_points::due(point); }

}  // namespace pmx
