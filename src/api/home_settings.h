// What was set for the home as a whole, as the daemon goes by it: the bound of its disk, and the
// stores of apps that name none.
//
// Thread:  control; max_disk_bytes() any.
// Errors:  settings that cannot be read change nothing: apps go on shipping where they did.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/settings_store.h"
#include "model/app_spec.h"
#include "supervisor/roster.h"

namespace pmx::api {

class HomeSettings {
 public:
  HomeSettings(const SettingsStore& store, std::function<void(const std::string&)> notice)
      : store_(store), notice_(std::move(notice)) {}

  void read();  // Again after each change.
  std::uint64_t max_disk_bytes() const { return max_disk_bytes_; }
  bool autosave() const { return autosave_; }
  // True: the app has other stores now.
  bool give_ship(AppSpec& app) const;
  // Every app that comes in, from the list on the disk as from a user, gets what it named none of.
  supervisor::AppCodec codec() const;

 private:
  const SettingsStore& store_;
  const std::function<void(const std::string&)> notice_;
  std::atomic<std::uint64_t> max_disk_bytes_ = 0;
  bool autosave_ = true;
  std::optional<std::vector<SinkSpec>> ship_;  // nullopt: never read.
};

}  // namespace pmx::api
