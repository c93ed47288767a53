#include "config/node_version.h"

#include <sys/stat.h>

#include <chrono>

#include "base/fs.h"
#include "base/json.h"
#include "base/path.h"
#include "base/units.h"
#include "config/internal/helper_process.h"
#include "config/internal/path_lookup.h"

namespace pmx::config {
namespace {

constexpr std::chrono::seconds kPatience{5};
constexpr std::size_t kMostKept = 64;
constexpr std::size_t kLargestCacheBytes = 1U << 20U;

// What changes when another program is put in this one's place; null where there is none.
Json identity_of_file(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return {};
  return Json::Array{st.st_size, st.st_ino, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
}

std::optional<std::string> asked(const std::string& node) {
  const Result<HelperAnswer> answer = run_helper({{node, "--version"}, "", 1, kPatience});
  if (!answer || answer->wait_status != 0 || !answer->text.starts_with('v')) return std::nullopt;
  const std::string version = answer->text.substr(1, answer->text.find('\n') - 1);
  return version.empty() ? std::nullopt : std::optional(version);
}

}  // namespace

std::string node_version_cache(const std::string& home) {
  return home + "/state/node-versions.json";
}

std::optional<std::string> node_version(const std::string& node, const std::string& cache_file) {
  const Json identity = identity_of_file(node);
  if (identity.is_null()) return std::nullopt;
  RealFs files;
  const Result<std::string> text = files.read_file(cache_file, kLargestCacheBytes);
  const Result<Json> parsed = text ? Json::parse(*text) : Result<Json>(Json::object());
  Json known = parsed && parsed->is_object() ? *parsed : Json::object();
  if (known[node]["file"] == identity) return known[node]["version"].as_string();
  const std::optional<std::string> version = asked(node);
  if (!version) return std::nullopt;
  if (known.members().size() >= kMostKept) known = Json::object();
  known.set(node, Json::object({{"file", identity}, {"version", *version}}));
  (void)files.replace_file(cache_file, known.dump(), 0600);  // Asked again the next time.
  return version;
}

std::optional<std::string> interpreter_version(std::string_view interpreter, std::string_view path,
                                               const std::string& cwd,
                                               const std::string& cache_file) {
  if (base_name(interpreter) != "node") return std::nullopt;
  if (interpreter.find('/') != std::string_view::npos)
    return node_version(absolute_path(cwd, interpreter), cache_file);
  const auto node = find_in_path(interpreter, path);
  return node ? node_version(absolute_path(cwd, *node), cache_file) : std::nullopt;
}

bool is_at_least(std::string_view version, std::int64_t major, std::int64_t minor) {
  const std::size_t dot = version.find('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view rest = version.substr(dot + 1);
  const Result<std::int64_t> own_major = parse_integer(version.substr(0, dot));
  const Result<std::int64_t> own_minor = parse_integer(rest.substr(0, rest.find('.')));
  if (!own_major || !own_minor) return false;
  return *own_major > major || (*own_major == major && *own_minor >= minor);
}

}  // namespace pmx::config
