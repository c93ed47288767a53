// No descriptor of the log may be inherited by a new keeper.
#define SPDLOG_PREVENT_CHILD_FD
// Debian's spdlog uses the system's fmt; header-only, so that nothing more has to be linked.
#define FMT_HEADER_ONLY
#include "api/own_log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>

#include <cstdio>
#include <utility>

namespace pmx::api {
namespace {

// The same form as the file's, so that whoever reads the keeper's stderr sees one kind of line.
void to_stderr(const std::string& text) { std::fprintf(stderr, "PMX log: %s\n", text.c_str()); }

class SpdOwnLog final : public OwnLog {
 public:
  explicit SpdOwnLog(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {
    logger_->set_pattern("%Y-%m-%dT%H:%M:%S: PMX log: %v");
    logger_->flush_on(spdlog::level::info);
    // A full disk: spdlog's own handler writes to stderr once a second, which may be the same disk.
    logger_->set_error_handler([](const std::string&) {});
  }
  void line(const std::string& text) override { logger_->info("{}", text); }

 private:
  std::shared_ptr<spdlog::logger> logger_;  // spdlog's way of owning.
};

class StderrLog final : public OwnLog {
 public:
  void line(const std::string& text) override { to_stderr(text); }
};

}  // namespace

std::unique_ptr<OwnLog> OwnLog::open(const std::string& path) {
  try {
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(path, kOwnLogBytes, 1);
    return std::make_unique<SpdOwnLog>(std::make_shared<spdlog::logger>("pmx", std::move(sink)));
  } catch (const std::exception& e) {
    to_stderr(std::string("no log file: ") + e.what());
    return std::make_unique<StderrLog>();
  }
}

}  // namespace pmx::api
