#include "ship/secret_store.h"

#include <cstdio>

#include "base/base64.h"
#include "base/json.h"

namespace pmx::ship {
namespace {

// Longer is no secret but another file, named by mistake. Tokens of 16 KiB exist.
constexpr std::size_t kMaxSecretBytes = 64U << 10U;

// A control character would end the HTTP header that the secret goes into.
Result<std::string> checked(std::string secret, const std::string& from) {
  if (secret.empty()) return invalid(from + " is empty");
  if (secret.size() > kMaxSecretBytes)
    return invalid(from + " has " + std::to_string(secret.size()) + " bytes: no secret");
  for (const char c : secret)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return invalid(from + " holds a line break or another control character");
  return secret;
}

std::string without_line_break(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Result<ResolvedSecret> from_file(const std::string& path, Fs& files) {
  const FileInfo found = PMX_TRY_WITHIN("auth.secret_file", files.info(path));
  std::string text = PMX_TRY_WITHIN("auth.secret_file", files.read_file(path, kMaxSecretBytes));
  ResolvedSecret resolved;
  resolved.secret =
      PMX_TRY(checked(without_line_break(std::move(text)), "auth.secret_file " + path));
  // Not refused: Kubernetes mounts secrets 0644 by default, into a container that has one user.
  if ((found.permissions & 0007U) != 0) {
    char mode[16];
    std::snprintf(mode, sizeof mode, "%04o", found.permissions);
    resolved.warning =
        path + " holds a secret and is open to everybody (mode " + mode + "): chmod 600 " + path;
  }
  return resolved;
}

}  // namespace

Result<std::unique_ptr<SecretStore>> SecretStore::open(Fs& files, const std::string& home) {
  std::unique_ptr<SecretStore> store(new SecretStore(files, home + "/state"));
  PMX_TRY(store->load());
  return store;
}

Result<void> SecretStore::load() {
  const auto text = files_.read_file(path());
  if (!text && text.error().code() == Errc::kNotFound) return {};
  if (!text) return Error(text.error());
  // The parser's own words would show what it read last.
  const auto document = Json::parse(*text);
  if (!document || !document->is_object())
    return corrupt(path() + " is no JSON object: remove it, then start the apps that ship again");
  for (const auto& [id, secret] : document->members()) {
    auto bytes = base64_decode(secret.as_string());
    if (!bytes || bytes->empty())
      return corrupt(path() + ": what it holds for " + id + " is damaged");
    secrets_[id] = std::move(bytes).value();
  }
  return {};
}

Result<void> SecretStore::save(Secrets secrets) {
  // As base64, because a password may be bytes that JSON cannot hold.
  Json document = Json::object();
  for (const auto& [id, secret] : secrets) document.set(id, base64_encode(secret));
  PMX_TRY(files_.make_directories(directory_, 0700));
  PMX_TRY(files_.replace_file(path(), document.dump(2) + "\n", 0600, Fs::Sync::kYes));
  secrets_ = std::move(secrets);
  return {};
}

Result<void> SecretStore::put(const std::string& id, std::string_view secret) {
  if (const auto kept = secrets_.find(id); kept != secrets_.end() && kept->second == secret)
    return {};
  Secrets changed = secrets_;
  changed[id] = secret;
  return save(std::move(changed));
}

std::optional<std::string> SecretStore::get(const std::string& id) const {
  const auto found = secrets_.find(id);
  if (found == secrets_.end()) return std::nullopt;
  return found->second;
}

Result<void> SecretStore::forget_all_but(const std::set<std::string>& ids) {
  Secrets changed = secrets_;
  std::erase_if(changed, [&ids](const auto& entry) { return !ids.contains(entry.first); });
  if (changed.size() == secrets_.size()) return {};
  return save(std::move(changed));
}

Result<ResolvedSecret> resolve(const SinkAuth& auth, std::string_view given,
                               const EnvironmentLookup& environment, Fs& files) {
  if (auth.kind == SinkAuth::Kind::kNone) return ResolvedSecret{};
  if (!auth.secret_env.empty()) {
    const std::string name = "auth.secret_env: the environment variable " + auth.secret_env;
    auto value = environment(auth.secret_env);
    if (!value) return invalid(name + " is not set");
    return ResolvedSecret{PMX_TRY(checked(std::move(*value), name)), ""};
  }
  if (!auth.secret_file.empty()) return from_file(auth.secret_file, files);
  return ResolvedSecret{PMX_TRY(checked(std::string(given), "the secret given for auth")), ""};
}

}  // namespace pmx::ship
