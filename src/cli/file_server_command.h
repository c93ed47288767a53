// `pmx serve-files`: the worker of an app that serves files (pmx serve, script: "serve"). Not for
// people: it is started by the keeper, and what it is to do stands in its environment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/home.h"
#include "http/options.h"
#include "http/tcp_listener.h"

namespace pmx::cli {

struct FileServerOptions {
  std::string host = "0.0.0.0";
  std::uint16_t port = 8080;
  http::SharePort share = http::SharePort::kNo;
  bool access_log = false;
  http::SiteOptions site;
};

// Arguments: [--share-port] [path] [port] [host], each of them below its variable, as in PM2.
// Errors name the variable, and never repeat a password.
Result<FileServerOptions> parse_file_server_options(const std::vector<std::string>& arguments,
                                                    const Environment& env, const std::string& cwd);

// Until SIGINT or SIGTERM: then what was asked is answered, and 0. 1 where it cannot serve, with a
// line on standard error.
int run_file_server_command(const std::vector<std::string>& arguments);

}  // namespace pmx::cli
