// The list of workers as it survives both processes: <home>/state/apps.json, and the same bytes as
// the keeper's STATE, which holds where no disk can be written.
//
// Thread:     control.
// Invariants: the file is the old list or the new one, never a half (replace_file), mode 0600: it
//             holds environments.
// Errors:     save() never fails: what is wrong is in trouble() until a later save succeeds.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/json.h"
#include "base/result.h"
#include "supervisor/keeper_link.h"
#include "supervisor/worker_record.h"

namespace pmx::supervisor {

// How apps become JSON and back: config's table, which this layer may not see.
struct AppCodec {
  std::function<Json(const AppSpec&)> to_json;
  std::function<Result<AppSpec>(const Json&)> from_json;
};

struct RosterContents {
  std::uint32_t next_id = 0;
  RunId last_run;
  std::uint64_t boot =
      0;  // sys::boot_id_hash() when it was saved: pids mean nothing after another.
  std::int64_t serial = 0;  // Grows with each save: of two copies the higher one is newer.
  std::vector<WorkerRecord> workers;
  std::vector<std::string> notices;  // What could not be taken over, one line each.
};

class Roster {
 public:
  // `path` "": only STATE (foreground mode).
  Roster(std::string path, Fs& files, KeeperLink& link, AppCodec codec);

  // The newer of STATE and the file. Neither there: an empty list.
  RosterContents load(bool ignore_state);
  // `workers` in the order of their ids. Fills spec_text where it is empty.
  void save(std::uint32_t next_id, RunId last_run, const std::vector<WorkerRecord*>& workers);
  const std::string& trouble() const { return trouble_; }

 private:
  std::string text_of(std::uint32_t next_id, RunId last_run,
                      const std::vector<WorkerRecord*>& workers) const;
  RosterContents load_file();
  Result<RosterContents> parse(std::string_view text) const;

  const std::string path_;
  Fs& files_;
  KeeperLink& link_;
  const AppCodec codec_;
  const std::uint64_t boot_;
  std::int64_t serial_ = 0;
  std::string trouble_;
};

}  // namespace pmx::supervisor
