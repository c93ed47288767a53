#include "supervisor/leaving_signal.h"

#include <signal.h>

#include <charconv>
#include <cstdint>

#include "base/signal_name.h"

namespace pmx::supervisor {

int leaving_signal(std::string_view process_status) {
  constexpr std::string_view kCaught = "\nSigCgt:\t";
  std::uint64_t caught = 0;  // Bit n - 1 stands for signal n.
  const std::size_t at = process_status.find(kCaught);
  if (at != std::string_view::npos)
    std::from_chars(process_status.data() + at + kCaught.size(),
                    process_status.data() + process_status.size(), caught, 16);
  const auto has = [caught](int signal) { return (caught >> (signal - 1) & 1U) != 0; };
  return !has(SIGTERM) && has(SIGINT) ? SIGINT : SIGTERM;
}

int kill_signal(const AppSpec& app) { return signal_number(app.kill_signal).value_or(SIGINT); }

}  // namespace pmx::supervisor
