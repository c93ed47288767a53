#include "supervisor/env_files.h"

#include "base/dotenv.h"
#include "base/fs.h"

namespace pmx::supervisor {

Result<std::map<std::string, std::string>> read_env_files(const AppSpec& app,
                                                          const std::optional<Identity>& identity) {
  std::optional<FileReader> reader;
  if (identity) reader = FileReader{identity->uid, identity->gid, identity->groups};
  std::map<std::string, std::string> variables;
  for (std::string path : app.env_file) {
    const bool optional = path.ends_with('?');
    if (optional) path.pop_back();
    const Result<std::string> text = read_file_as(reader, path, kMaxEnvFileBytes);
    if (!text && text.error().code() == Errc::kNotFound) {
      if (optional) continue;
      return Error(Errc::kNotFound, "env_file " + path + " of app " + app.name +
                                        " is not there: make it, or name it " + path +
                                        "? where it may be missing");
    }
    if (!text) return Error(text.error()).within("env_file of app " + app.name);
    auto read = PMX_TRY_WITHIN("env_file " + path + " of app " + app.name, parse_dotenv(*text));
    for (auto& [name, value] : read) variables[name] = std::move(value);
  }
  return variables;
}

}  // namespace pmx::supervisor
