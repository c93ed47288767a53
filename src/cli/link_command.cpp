// `pmx link-pm2`: makes pm2, pm2-runtime and pm2-docker links to this program. Links and not shell
// aliases, so that npm scripts, cron and ssh see them.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/sys.h"
#include "cli/handlers.h"
#include "cli/session.h"

namespace pmx::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> kNames{"pm2", "pm2-runtime", "pm2-docker"};

bool is_ours(const fs::path& link, const fs::path& program) {
  std::error_code error;
  return fs::is_symlink(link, error) && fs::weakly_canonical(link, error) == program;
}

Result<void> check_free(const fs::path& link, const fs::path& program, bool force) {
  std::error_code error;
  const auto status = fs::symlink_status(link, error);
  if (!fs::exists(status) || is_ours(link, program)) return {};
  if (fs::is_directory(status)) return Error(Errc::kExists, link.string() + " is a directory");
  if (!force)
    return Error(Errc::kExists, link.string() +
                                    " is somebody else's (PM2's?): add -f to replace it, or name "
                                    "another directory: pmx link-pm2 <directory>");
  return {};
}

// Beside the old one first: there is a pm2 at every moment.
Result<void> make_link(const fs::path& link, const fs::path& program) {
  const std::string temporary = link.string() + ".pmx-new";
  (void)::unlink(temporary.c_str());
  if (::symlink(program.c_str(), temporary.c_str()) != 0 ||
      ::rename(temporary.c_str(), link.c_str()) != 0) {
    const int why = errno;
    (void)::unlink(temporary.c_str());
    return Error(Errc::kIo, "cannot make " + link.string() + ": " + std::strerror(why) +
                                (why == EACCES ? "; as root, or in a directory of yours" : ""));
  }
  return {};
}

Result<fs::path> make_links(const Session& session) {
  std::error_code error;
  const fs::path program = fs::weakly_canonical(sys::self_exe(), error);
  fs::path directory = program.parent_path();
  if (!session.line.words.empty()) directory = fs::path(session.cwd) / session.line.words.front();
  if (!fs::is_directory(directory, error))
    return Error(Errc::kNotFound, directory.string() + " is no directory");
  for (const char* const name : kNames)
    PMX_TRY(check_free(directory / name, program, session.line.has("force")));
  for (const char* const name : kNames) PMX_TRY(make_link(directory / name, program));
  return directory;
}

bool in_path(const Session& session, const fs::path& directory) {
  const auto path = session.env.find("PATH");
  if (path == session.env.end()) return false;
  return (":" + path->second + ":").find(":" + directory.string() + ":") != std::string::npos;
}

}  // namespace

int run_link_pm2(Session& session) {
  const Result<fs::path> directory = make_links(session);
  if (!directory) return failed(session, directory.error());
  session.console.info("pm2, pm2-runtime and pm2-docker in " + directory->string() +
                       " are pmx now; called so, their home is ~/.pm2");
  if (!in_path(session, *directory)) session.console.warn(directory->string() + " is not in PATH");
  return 0;
}

}  // namespace pmx::cli
