// Passwords, tokens and keys of sinks, and where they come from.
//
// What the user's shell had in its environment is gone after a reboot, so a sink's secret is kept:
// else every store would answer 401 until somebody starts the apps by hand again.
//
// Owns:    <home>/state/secrets.json, 0600, replaced as a whole and synced.
// Thread:  one at a time.
// Errors:  name the variable, the file or the sink, never what is in them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "base/result.h"
#include "model/sink_spec.h"

namespace pmx::ship {

class SecretStore {
 public:
  // A missing file is an empty store. Error: kCorrupt where the file is not what put() writes.
  static Result<std::unique_ptr<SecretStore>> open(Fs& files, const std::string& home);

  // On the disk when it answers. Error: what was kept before is still kept.
  Result<void> put(const std::string& id, std::string_view secret);
  std::optional<std::string> get(const std::string& id) const;
  Result<void> forget_all_but(const std::set<std::string>& ids);

 private:
  using Secrets = std::map<std::string, std::string>;
  SecretStore(Fs& files, std::string directory) : files_(files), directory_(std::move(directory)) {}
  std::string path() const { return directory_ + "/secrets.json"; }
  Result<void> load();
  Result<void> save(Secrets secrets);

  Fs& files_;
  std::string directory_;
  Secrets secrets_;
};

struct ResolvedSecret {
  std::string secret;   // "": the sink has none.
  std::string warning;  // For people, one line; "": nothing is odd.
};
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

// From auth.secret_env or auth.secret_file, else `given`: what the user wrote himself. The last
// line break of a file is no part of a secret.
Result<ResolvedSecret> resolve(const SinkAuth& auth, std::string_view given,
                               const EnvironmentLookup& environment, Fs& files);

}  // namespace pmx::ship
