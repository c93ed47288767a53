// Runs a fuzz target without libFuzzer, so that its corpus is part of every ctest: each file whole,
// cut short at many places, and with bytes flipped; the same in every run. A failure says which
// input.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes);

namespace {

// A copy of exactly the input's size on the heap: the address sanitizer sees a read past it.
void run(std::string_view input) {
  const std::vector<std::uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  std::printf("%s: %zu bytes\n", path.c_str(), whole.size());
  std::fflush(stdout);  // Before the input that may abort us.
  run(whole);
  const std::size_t step = whole.size() / 2000 + 1;
  for (std::size_t cut = 0; cut < whole.size(); cut += step)
    run(std::string_view(whole).substr(0, cut));
  std::mt19937_64 random(whole.size());
  for (int round = 0; round < 2000 && !whole.empty(); ++round) {
    std::string changed = whole;
    for (std::uint64_t flips = 1 + random() % 4; flips > 0; --flips)
      changed[random() % changed.size()] = static_cast<char>(random() % 256);
    run(changed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      ++files;
    }
  }
  if (files == 0) std::fprintf(stderr, "no corpus: name a directory that has one\n");
  return files == 0 ? 1 : 0;
}
