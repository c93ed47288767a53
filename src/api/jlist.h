// The list of processes as PM2's jlist prints it: scripts and dashboards read these keys.
//
// Thread:  control.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "supervisor/monitor.h"
#include "supervisor/pipeline.h"
#include "supervisor/roster.h"
#include "supervisor/supervisor.h"

namespace pmx::api {

class ProcessList {
 public:
  ProcessList(const supervisor::Supervisor& workers, const supervisor::Pipeline& pipeline,
              supervisor::AppCodec codec, supervisor::Monitor monitor)
      : workers_(workers),
        pipeline_(pipeline),
        codec_(std::move(codec)),
        monitor_(std::move(monitor)) {}

  // kShort: without settings and environments, which are nine tenths of it and which `pmx list`
  // does not show.
  enum class Detail : std::uint8_t { kAll, kShort, kDump };
  // As dump.pm2 wants it: each pm2_env with its whole environment, once.
  Json dump() const;
  // Reads /proc: the one place where it is read, and only when somebody asks.
  Json jlist(Detail detail = Detail::kAll);
  // The same of the workers with this name, else of the one with this id.
  Json named(std::string_view word);

 private:
  Json elements(const std::vector<const supervisor::Worker*>& workers, Detail detail);
  Json element(const supervisor::Worker& worker, const std::vector<supervisor::LogStatus>& logs,
               const std::vector<RunId>& open, Detail detail);
  Json pm2_env(const supervisor::Worker& worker, Detail detail) const;

  const supervisor::Supervisor& workers_;
  const supervisor::Pipeline& pipeline_;
  const supervisor::AppCodec codec_;
  supervisor::Monitor monitor_;
  std::set<std::string> secret_variables_;  // Of sinks: their values are not shown.
};

}  // namespace pmx::api
