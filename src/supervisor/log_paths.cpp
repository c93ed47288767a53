#include "supervisor/log_paths.h"

#include <algorithm>
#include <array>

namespace pmx::supervisor {
namespace {

bool is_device(std::string_view path) {
  return path.starts_with("/dev/") || path.starts_with("/proc/");
}

bool is_nothing(std::string_view value) {
  return value == "NULL" || value == "null" || value == "/dev/null" || value == "false";
}

// "/a/x.log" + 3 -> "/a/x-3.log"; without an ending "-3" goes last.
std::string with_id(const std::string& path, WorkerId id) {
  const std::string mark = "-" + std::to_string(id.value);
  const std::size_t slash = path.rfind('/');
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos || (slash != std::string::npos && dot <= slash + 1))
    return path + mark;
  return path.substr(0, dot) + mark + path.substr(dot);
}

// Drops "." and empty parts and resolves "..", so that one file has one name (and one LogId).
std::string normal(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string out;
  for (const std::string_view part : parts) (out += '/') += part;
  return out.empty() ? "/" : out;
}

std::string home_of(const AppSpec& app) {
  const auto found = app.env.find("HOME");
  return found == app.env.end() ? std::string() : found->second;
}

std::string absolute(const AppSpec& app, const std::string& path) {
  if (path.starts_with("~/") && !home_of(app).empty()) return normal(home_of(app) + path.substr(1));
  return normal(path.starts_with('/') ? path : app.cwd + "/" + path);
}

// `written` is the user's value; "" for none.
std::string resolve(const AppSpec& app, WorkerId id, const std::string& written,
                    const std::string& otherwise) {
  if (app.disable_logs || is_nothing(written)) return {};
  // /dev/stdout: the lines are kept where they always are; in the foreground they are printed as
  // well.
  const bool is_default = written.empty() || is_device(written);
  const std::string path = is_default ? otherwise : absolute(app, written);
  if (path.empty()) return path;
  return has_own_files(app) ? with_id(path, id) : path;
}

RenderSpec render_of(const AppSpec& app) {
  RenderSpec render;
  render.redact = app.redact;
  render.date_format = app.time ? "YYYY-MM-DDTHH:mm:ss" : app.log_date_format;
  if (app.log_type == "json") {
    render.kind = RenderSpec::Kind::kJson;
    render.app_name = app.name;
  } else if (!render.date_format.empty()) {
    render.kind = RenderSpec::Kind::kDate;
  }
  return render;
}

}  // namespace

std::string file_name_of(std::string_view app_name) {
  std::string name(app_name);
  for (char& c : name) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-';
    if (!kept) c = '-';
  }
  return name;
}

bool has_own_files(const AppSpec& app) {
  return !app.merge_logs.value_or(!app.instances_given);  // `instances: 1` too, as in PM2.
}

LogFiles log_files(const AppSpec& app, WorkerId id, const std::string& logs_directory) {
  const std::string stem = logs_directory + "/" + file_name_of(app.name);
  LogFiles files;
  files.out = resolve(app, id, app.out_file, stem + "-out.log");
  files.err = resolve(app, id, app.error_file, stem + "-error.log");
  if (app.log_file == "true") {
    files.log = resolve(app, id, "", stem + ".log");
  } else if (!app.log_file.empty()) {
    files.log = resolve(app, id, app.log_file, "");
  }
  return files;
}

LogPlan plan_logs(const AppSpec& app, WorkerId id, const std::string& logs_directory,
                  std::optional<FileOwner> owner, const std::vector<std::string>& shared) {
  LogPlan plan;
  plan.files = log_files(app, id, logs_directory);
  const bool many = app.instances > 1 && !has_own_files(app);
  const auto add = [&](std::vector<LogSpec>& logs, const std::string& path, bool both_streams) {
    if (path.empty()) return;
    const bool there =
        std::any_of(logs.begin(), logs.end(), [&](const LogSpec& log) { return log.path == path; });
    if (there) return;  // out_file and log_file name one file: each line goes there once.
    LogSpec log;
    log.path = path;
    log.merged =
        both_streams || many || std::find(shared.begin(), shared.end(), path) != shared.end();
    log.render = render_of(app);
    log.rotate = app.rotate;
    log.when_full = app.when_full;
    log.sync = app.sync;
    // In our own directory nobody else can put a link in a file's place, and the app's user may not
    // be able to reach it: it is often root's home.
    if (!path.starts_with(logs_directory + "/")) log.owner = owner;
    logs.push_back(std::move(log));
  };
  const LogFiles& files = plan.files;
  const bool out_is_both = files.out == files.err || files.out == files.log;
  const bool err_is_both = files.out == files.err || files.err == files.log;
  add(plan.out, files.out, out_is_both);
  add(plan.out, files.log, true);
  add(plan.err, files.err, err_is_both);
  add(plan.err, files.log, true);
  return plan;
}

}  // namespace pmx::supervisor
