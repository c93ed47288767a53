// One log of a simulated home: its settings, what feeds it, and what its user did to its file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/fs.h"
#include "rotate/log_dir.h"
#include "sim/support/held.h"

namespace pmx::sim {

struct LogUnderTest {
  LogSpec spec;
  std::vector<HeldStream*> feeders;  // In the order in which their runs began.
  bool numbered = true;              // Each line can be told from all others.
  unsigned user_acts = 0, power_cuts = 0;
  bool retires = false;    // Oldest lines may be gone by its own bounds.
  bool some_stay = false;  // A file that cannot be removed does not keep later ones.

  // Text that the user took out of files, so that no byte of the log is forgotten.
  struct Splice {
    std::uint64_t offset = 0;  // In the file from which it was taken.
    std::string bytes;
  };
  std::map<std::uint64_t, std::vector<Splice>> cut_from_active;   // By inode.
  std::map<std::uint64_t, std::vector<Splice>> cut_from_sealed;   // By segment.
  std::vector<std::pair<std::uint64_t, std::string>> taken_away;  // By segment: whole files.

  rotate::LogDir dir(const std::string& home) const { return {home + "/state", spec.path}; }
};

// The user truncates, renames or deletes the active file; only where it ends with a whole line and
// the daemon has nothing on its way into it. False: there was nothing to do it to.
enum class UserAct { kTruncate, kTruncateToNothing, kRename, kDelete };
bool act_as_user(LogUnderTest& log, UserAct act, std::uint64_t segment, Fs& fs);
// A file that was cut and then sealed is known by its segment from now on: packing makes a new one.
void follow_seals(LogUnderTest& log, const std::string& home, Fs& fs);
// Everything that was ever in the log's files and is not retired, oldest first, archives unpacked.
std::string all_text(LogUnderTest& log, const std::string& home, Fs& fs);

}  // namespace pmx::sim
