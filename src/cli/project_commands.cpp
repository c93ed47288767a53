// Commands around a project's files: a first ecosystem file, and PM2's three words for "bring what
// this file says about".
#include "base/fs.h"
#include "cli/acts.h"
#include "cli/handlers.h"
#include "cli/session.h"

namespace pmx::cli {
namespace {

constexpr std::string_view kSimple = R"(module.exports = {
  apps: [{
    name: 'app1',
    script: './app.js',
  }],
};
)";

constexpr std::string_view kFull = R"(// Every key: pmx docs settings
module.exports = {
  // ship: 'loki+http://127.0.0.1:3100',  // Where lines go beside the files: Loki, Elasticsearch …
  apps: [{
    name: 'app1',
    script: './app.js',
    // args: ['--port', '3000'],
    // instances: 2,
    // max_memory_restart: '300M',
    // rotate: { max_size: '10M', retain: 30 },
    env: { NODE_ENV: 'development' },
    env_production: { NODE_ENV: 'production' },  // pmx start ecosystem.config.js --env production
  }],
};
)";

Result<std::string> write_ecosystem(const Session& session) {
  const std::string word = session.line.words.empty() ? "" : session.line.words.front();
  if (!word.empty() && word != "simple")
    return invalid("\"" + word + "\": only `simple` may follow, for the shortest file");
  const std::string path = session.cwd + "/ecosystem.config.js";
  RealFs files;
  // PM2 overwrites it, and with it somebody's work.
  if (!session.line.has("force") && files.info(path))
    return Error(Errc::kExists, path + " is there already: add -f to replace it");
  PMX_TRY(files.replace_file(path, word == "simple" ? kSimple : kFull, 0644));
  return path;
}

int bring_up_words(Session& session, const Act& act) {
  if (session.line.words.empty()) return missing_argument(session, "ecosystem file");
  const std::int64_t begun_ms = session.now_ms();
  for (const std::string& word : session.line.words) {
    const Result<void> done = bring_up_file(session, act, word);
    if (done) continue;
    (void)failed(session, done.error());
    if (act.action == kReload.action) print_words_of_failed_reloads(session, begun_ms);
    return 1;
  }
  return print_list(session);
}

}  // namespace

int run_ecosystem(Session& session) {
  const Result<std::string> path = write_ecosystem(session);
  if (!path) return failed(session, path.error());
  session.console.text("File " + *path + " generated\n");
  return 0;
}

int run_start_or_restart(Session& session) { return bring_up_words(session, kRestart); }
int run_start_or_reload(Session& session) { return bring_up_words(session, kReload); }

}  // namespace pmx::cli
