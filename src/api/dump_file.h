// <home>/dump.pm2, what `pmx save` and `pmx resurrect` are about, and dump.pm2.bak, the one before.
//
// Thread:     control.
// Invariants: the file is the old list or the new one, never a half; mode 0600: it holds
//             environments.
#pragma once

#include <string>
#include <vector>

#include "base/fs.h"
#include "base/json.h"
#include "base/result.h"

namespace pmx::api {

class DumpFile {
 public:
  DumpFile(std::string home, Fs& files) : home_(std::move(home)), files_(files) {}

  const std::string& home() const { return home_; }
  std::string path() const { return home_ + "/dump.pm2"; }
  Result<void> save(const Json& entries);
  // Of the two files the first that can be read; `notices` says why not the other.
  Result<Json> load(std::vector<std::string>& notices) const;

 private:
  std::string backup() const { return path() + ".bak"; }
  Result<Json> read(const std::string& path) const;

  const std::string home_;
  Fs& files_;
};

}  // namespace pmx::api
