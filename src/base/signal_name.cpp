#include "base/signal_name.h"

#include <csignal>
#include <cstring>

namespace pmx {

std::optional<int> signal_number(std::string_view name) {
  if (name == "SIGIOT") return SIGABRT;
  if (name == "SIGIO") return SIGIO;
  for (int number = 1; number < NSIG; ++number) {
    const char* const known = ::sigabbrev_np(number);
    if (known != nullptr && name == "SIG" + std::string(known)) return number;
  }
  return std::nullopt;
}

std::string signal_name(int number) {
  const char* const name = ::sigabbrev_np(number);
  return name != nullptr ? "SIG" + std::string(name) : std::to_string(number);
}

}  // namespace pmx
