#include "api/settings_store.h"

namespace pmx::api {

Result<Json> SettingsStore::read() const {
  const auto text = files_.read_file(path_);
  if (!text && text.error().code() == Errc::kNotFound) return Json::object();
  if (!text) return Error(text.error());
  return PMX_TRY_WITHIN(path_, Json::parse(*text));
}

Result<Json> SettingsStore::change(const Json& wanted) {
  Json change;
  if (wanted.find("set") || wanted.find("unset")) {
    change = wanted;
  } else {
    Json set = Json::object();
    Json unset = Json::array();
    for (const auto& [key, value] : wanted.members()) {
      if (value.is_null()) {
        unset.push_back(key);
      } else {
        set.set(key, value);
      }
    }
    change = Json::object({{"set", set}, {"unset", unset}});
  }
  const Json values = PMX_TRY(read());
  Json changed = PMX_TRY(change_(values, change));
  PMX_TRY(files_.replace_file(path_, changed.dump(2) + "\n"));
  return changed;
}

}  // namespace pmx::api
