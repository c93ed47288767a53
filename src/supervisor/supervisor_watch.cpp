// The supervisor's side of `watch`.
#include "supervisor/supervisor.h"

namespace pmx::supervisor {

WatchRestarts::Parts Supervisor::watch_parts() {
  return {parts_.watches,
          parts_.timers,
          parts_.clock,
          options_.home,
          [this] { return workers(); },
          [this](const WorkerRecord& record) { return pid_file_of(record); },
          [this](WorkerId id, Done done) {
            workers_.at(id)->restart(std::nullopt, std::move(done), ExitCause::kFilesChanged);
          },
          parts_.notice};
}

void Supervisor::unwatch(WorkerId id) {
  workers_.at(id)->change_spec([](AppSpec& app) {
    return std::exchange(app.watch, {false, {}, app.watch.ignore, app.watch.delay}).on;
  });
  save_soon();
}

}  // namespace pmx::supervisor
