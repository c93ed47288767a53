// Prints JSON lines of 216 bytes, as a Node logger does: what the bench captures.
//
//   bench_gen <lines> [--block <bytes>] [--bytes-per-second <n>] [--stamp]
//
// Without --block one write a line, as console.log does. With --stamp the first number of each line
// is the realtime clock in ns, so that a reader can tell how old the line is.
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t kLineBytes = 216;

struct Options {
  std::uint64_t lines = 0;
  std::uint64_t block_bytes = 0;
  std::uint64_t bytes_per_second = 0;
  bool stamp = false;
};

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool more = i + 1 < argc;
    if (argument == "--block" && more) {
      options.block_bytes = number(argv[++i]);
    } else if (argument == "--bytes-per-second" && more) {
      options.bytes_per_second = number(argv[++i]);
    } else if (argument == "--stamp") {
      options.stamp = true;
    } else {
      options.lines = number(argument);
    }
  }
  return options;
}

std::uint64_t nanoseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// {"level":30,"time":1763892000123456789,"pid":4242,"seq":"000000000001",…,"msg":"request
// completed…"}
std::string make_line() {
  std::string line =
      R"({"level":30,"time":1763892000000000000,"pid":4242,"seq":"000000000000","hostname":"web-1",)"
      R"("req":{"method":"GET","url":"/api/v1/orders/17"},"res":{"statusCode":200},"msg":"request completed)";
  line.append(kLineBytes - 3 - line.size(), '.');
  return line + "\"}\n";
}

void put_digits(char* at, std::size_t width, std::uint64_t value) {
  for (std::size_t i = width; i-- > 0; value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

bool write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// Sleeps until `bytes` are due; the bench's programs may sleep, pmx may not.
void pace(std::uint64_t begin_ns, std::uint64_t bytes, std::uint64_t bytes_per_second) {
  const auto due = static_cast<std::uint64_t>(static_cast<double>(bytes) * 1e9 /
                                              static_cast<double>(bytes_per_second));
  const std::uint64_t now = nanoseconds(CLOCK_MONOTONIC) - begin_ns;
  if (due <= now + 1'000'000U) return;
  const std::uint64_t wait = due - now;
  const timespec pause{static_cast<time_t>(wait / 1'000'000'000U),
                       static_cast<long>(wait % 1'000'000'000U)};
  ::nanosleep(&pause, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::string line = make_line();
  char* const time_at = line.data() + line.find("\"time\":") + std::strlen("\"time\":");
  char* const seq_at = line.data() + line.find("\"seq\":\"") + std::strlen("\"seq\":\"");
  std::string block;
  block.reserve(options.block_bytes + kLineBytes);
  const std::uint64_t begin_ns = nanoseconds(CLOCK_MONOTONIC);
  std::uint64_t written = 0;
  for (std::uint64_t i = 0; i < options.lines; ++i) {
    put_digits(seq_at, 12, i);
    if (options.stamp) put_digits(time_at, 19, nanoseconds(CLOCK_REALTIME));
    block += line;
    if (block.size() < options.block_bytes && i + 1 < options.lines) continue;
    if (!write_all(block)) {
      std::perror("bench_gen: write");
      return 1;
    }
    written += block.size();
    block.clear();
    if (options.bytes_per_second != 0) pace(begin_ns, written, options.bytes_per_second);
  }
  return 0;
}
