// Each line of the standard input is a JSON value: prints it as `pmx prettylist` would, ended by a
// zero byte. test_prettylist.py compares that with Node.
#include <iostream>

#include "cli/inspect.h"

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto value = pmx::Json::parse(line);
    std::cout << (value ? pmx::cli::inspect(*value) : value.error().message()) << '\0';
  }
}
