// Which logs the streams of a worker feed, and what their files are called: PM2's rules for
// out_file, error_file, log_file, merge_logs, log_type, log_date_format, time and disable_logs.
//
// Thread:  any; pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/app_spec.h"
#include "model/log_spec.h"
#include "supervisor/worker_record.h"

namespace pmx::supervisor {

struct LogPlan {
  std::vector<LogSpec> out, err;  // What each stream feeds.
  LogFiles files;                 // What people are shown.
};

// "api/v1 x" -> "api-v1-x": what is safe in a file name, as PM2 writes it.
std::string file_name_of(std::string_view app_name);
// True where each worker of the app has files of its own, told apart by "-<id>".
bool has_own_files(const AppSpec& app);
LogFiles log_files(const AppSpec& app, WorkerId id, const std::string& logs_directory);
// `owner`: who opens files outside of `logs_directory` where the app has a uid. `shared` lists
// paths that other workers of the roster feed as well: such a log takes whole lines only.
LogPlan plan_logs(const AppSpec& app, WorkerId id, const std::string& logs_directory,
                  std::optional<FileOwner> owner, const std::vector<std::string>& shared);

}  // namespace pmx::supervisor
