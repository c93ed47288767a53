#include "api/dump_file.h"

namespace pmx::api {
namespace {

constexpr mode_t kOwnerOnly = 0600;
constexpr int kIndent = 2;  // PM2's.

}  // namespace

Result<void> DumpFile::save(const Json& entries) {
  // Only what can be read again replaces the older copy.
  if (read(path())) {
    const std::string before = PMX_TRY(files_.read_file(path()));
    PMX_TRY(files_.replace_file(backup(), before, kOwnerOnly, Fs::Sync::kYes));
  }
  return files_.replace_file(path(), entries.dump(kIndent), kOwnerOnly, Fs::Sync::kYes);
}

Result<Json> DumpFile::read(const std::string& path) const {
  const std::string text = PMX_TRY(files_.read_file(path));
  Json entries = PMX_TRY_WITHIN(path, Json::parse(text));
  if (!entries.is_array()) return invalid(path + " holds no list of apps");
  return entries;
}

Result<Json> DumpFile::load(std::vector<std::string>& notices) const {
  auto newest = read(path());
  if (newest) return newest;
  auto before = read(backup());
  if (before) {
    notices.push_back(newest.error().message() + "; " + backup() + " is used");
    return before;
  }
  if (newest.error().code() == Errc::kNotFound)
    return Error(Errc::kNotFound, "no " + path() + ": pmx save writes it");
  return newest;
}

}  // namespace pmx::api
