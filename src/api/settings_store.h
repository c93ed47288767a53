// What `pmx set` has set, in <home>/state/settings.json: one flat object of canonical keys.
//
// Thread:  control.
// Errors:  a change is all or nothing, checked by config and saved before it is answered.
#pragma once

#include <functional>
#include <string>

#include "base/fs.h"
#include "base/json.h"
#include "base/result.h"

namespace pmx::api {

class SettingsStore {
 public:
  // Current values and {"set":{key:value},"unset":[key]} to new values, or why not.
  using Change = std::function<Result<Json>(const Json& values, const Json& change)>;

  SettingsStore(std::string path, Fs& files, Change change)
      : path_(std::move(path)), files_(files), change_(std::move(change)) {}

  Result<Json> read() const;  // {} where nothing was ever set.
  // {"set":…,"unset":…}, or for short {key: value}, where null unsets.
  Result<Json> change(const Json& wanted);

 private:
  const std::string path_;
  Fs& files_;
  const Change change_;
};

}  // namespace pmx::api
