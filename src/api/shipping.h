// Shipping as the daemon has it: what the list of apps says becomes what the engine ships, and what
// users ask of it finds its way.
//
// Owns:    the engine (its thread) and the secrets. Borrows workers and pipeline.
// Thread:  control; floor(), recorded() and flushed() from any.
// Errors:  where the wish cannot be put on disk, it is tried again each 5 s, and said once.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/ship_routes.h"
#include "base/timers.h"
#include "config/sink_config.h"
#include "ship/engine.h"
#include "ship/secret_store.h"
#include "supervisor/pipeline.h"
#include "supervisor/supervisor.h"

namespace pmx::api {

class Shipping final : public ShipControl {
 public:
  struct Parts {
    std::string home;
    std::string host;  // As stores shall see it.
    Fs& files;
    const Clock& clock;
    Timers& timers;
    std::function<void(std::function<void()>)> post;  // Runs a call on control.
    std::function<void(const std::string&)> notice;
  };
  static Result<std::unique_ptr<Shipping>> start(Parts parts);
  ~Shipping() override;

  // Before the pipeline: what it asks and tells.
  std::uint64_t floor(const std::string& path) const { return engine_->floor_segment(path); }
  void recorded(const std::string& path, std::uint64_t bytes) { engine_->recorded(path, bytes); }
  void flushed(const std::string& path, std::uint64_t below) { engine_->flushed(path, below); }
  // Then, what there is to be shipped.
  void serve(const supervisor::Supervisor& workers, supervisor::Pipeline& pipeline);

  void list_changed();  // Looks at all workers.
  // Looks at all of them only where this one is not as it was when last looked at: a thousand
  // instances are added first and started then.
  void before_launch(const supervisor::WorkerRecord& record);
  void child_changed(const supervisor::Child& child);
  void keep_secrets(const config::SinkSecrets& secrets);

  // Everything that was printed, to its stores, for as long as `patience`; at once without sinks.
  void drain(std::chrono::milliseconds patience, std::function<void()> done);

  void status(Done done) override;
  void test(SinkSpec sink, std::string secret, Done done) override;
  void pause(const std::string& sink, Done done) override;
  void resume(const std::string& sink, Done done) override;
  void retry(const std::string& sink, Done done) override;

 private:
  explicit Shipping(Parts parts) : parts_(std::move(parts)) {}
  std::vector<ship::Shipment> wanted();
  std::string secret_of(const SinkSpec& spec);
  std::string text_of_worker(const supervisor::WorkerRecord& record) const;
  void tell_run(const supervisor::WorkerRecord& record);
  ship::ShipEngine::Answer on_control(Done done) const;

  const Parts parts_;
  std::unique_ptr<ship::SecretStore> secrets_;
  const supervisor::Supervisor* workers_ = nullptr;
  supervisor::Pipeline* pipeline_ = nullptr;
  std::map<WorkerId, std::string> looked_at_;  // What each ships, as text; "": nothing.
  std::optional<std::string> last_wish_;       // What the engine has been told, as text.
  Timers::Id retry_timer_ = 0;
  std::string last_trouble_;
  std::unique_ptr<ship::ShipEngine> engine_;  // Last: its thread ends first.
};

}  // namespace pmx::api
