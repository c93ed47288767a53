// Runs one of the user's programs for its answer: what it writes on one descriptor.
//
// Errors: kInvalidArgument when its time is over (it is killed); what it prints otherwise goes to
//         standard error.
// Bounds: the time, and the size of the answer.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pmx::config {

struct HelperProcess {
  std::vector<std::string> command;  // The first is a path.
  std::string_view input;            // Its standard input.
  int answer_fd = 1;
  std::chrono::milliseconds limit{};
};
struct HelperAnswer {
  std::string text;
  int wait_status = 0;
};
Result<HelperAnswer> run_helper(const HelperProcess& process);

}  // namespace pmx::config
