#include "base/sys.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "support/temp_dir.h"

namespace pmx {
namespace {

bool close_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

TEST(FdTest, HasOneOwnerAndClosesOnce) {
  sys::Pipe pipe = std::move(sys::pipe().value());
  const int number = pipe.read_end.get();
  Fd moved = std::move(pipe.read_end);
  EXPECT_EQ(moved.get(), number);
  EXPECT_FALSE(pipe.read_end);  // NOLINT: what a moved-from Fd is, is part of its contract.
  Fd& self = moved;
  moved = std::move(self);
  EXPECT_EQ(moved.get(), number) << "moving to itself keeps it open";
  moved.reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST(FdTest, AReleasedOneIsSomebodyElses) {
  sys::Pipe pipe = std::move(sys::pipe().value());
  const int number = pipe.read_end.release();
  pipe.read_end.reset();
  EXPECT_NE(::fcntl(number, F_GETFD), -1);
  const Fd again(number);
}

TEST(SysTest, AProcessIsOpenedOnlyIfItWasBornThen) {
  const std::uint64_t ticks = *sys::start_time_ticks(::getpid());
  const auto us = sys::open_process(::getpid(), ticks);
  ASSERT_TRUE(us);
  EXPECT_TRUE(sys::pidfd_signal(us->get(), 0));
  const auto other = sys::open_process(::getpid(), ticks + 1);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Errc::kNotFound);
}

TEST(SysTest, NumbersOfProcFilesAreFoundByTheirWholeNames) {
  const std::string_view text = "oom_kill_other 1\nx oom_kill 2\noom_kill 3\nMemTotal:\t  42 kB\n";
  EXPECT_EQ(sys::number_of(text, "oom_kill"), 3U);
  EXPECT_EQ(sys::number_of(text, "MemTotal:"), 42U);
  EXPECT_EQ(sys::number_of(text, "MemFree:"), std::nullopt);
  EXPECT_EQ(sys::number_of("a", "a"), std::nullopt);
  EXPECT_EQ(sys::number_of("a x", "a"), std::nullopt);
  EXPECT_EQ(sys::number_of("", "a"), std::nullopt);
}

TEST(SysTest, EveryDescriptorIsBornCloseOnExec) {
  const sys::Pipe pipe = std::move(sys::pipe().value());
  const sys::SocketPair pair = std::move(sys::seqpacket_pair().value());
  const Fd memfd = std::move(sys::memfd("test", 4096).value());
  const Fd copy = std::move(sys::duplicate(pipe.read_end.get()).value());
  const Fd file = std::move(sys::open("/dev/null", O_RDONLY).value());
  for (const int fd : {pipe.read_end.get(), pipe.write_end.get(), pair.first.get(),
                       pair.second.get(), memfd.get(), copy.get(), file.get()})
    EXPECT_TRUE(close_on_exec(fd)) << fd;
  ASSERT_TRUE(sys::set_close_on_exec(copy.get(), false));
  EXPECT_FALSE(close_on_exec(copy.get()));
}

TEST(SysTest, NothingIsOpenedBelowAFolderThatIsOutsideOfIt) {
  const Fd slash = std::move(sys::open("/", O_RDONLY | O_DIRECTORY).value());
  const Fd usr = std::move(sys::open("/usr", O_RDONLY | O_DIRECTORY).value());
  EXPECT_TRUE(close_on_exec(sys::open_below(slash.get(), "usr/bin", O_RDONLY).value().get()));
  EXPECT_TRUE(sys::open_below(usr.get(), "bin/../bin", O_RDONLY));
  for (const char* const path : {"..", "/etc", "../etc/passwd", "/usr/bin"})
    EXPECT_EQ(sys::open_below(usr.get(), path, O_RDONLY).error().sys_errno(), EXDEV) << path;
  EXPECT_EQ(sys::open_below(usr.get(), "none", O_RDONLY).error().code(), Errc::kNotFound);
}

TEST(SysTest, APipeTellsWhatWaitsInIt) {
  const sys::Pipe pipe = std::move(sys::pipe().value());
  EXPECT_EQ(sys::pipe_bytes_waiting(pipe.read_end.get()).value(), 0U);
  ASSERT_TRUE(sys::write_all(pipe.write_end.get(), "twelve bytes"));
  EXPECT_EQ(sys::pipe_bytes_waiting(pipe.read_end.get()).value(), 12U);
  EXPECT_EQ(sys::read_all(pipe.read_end.get(), 5).error().code(), Errc::kInvalidArgument);
}

TEST(SysTest, APipeGetsTheSizeThatIsAskedForOrKeepsItsOwn) {
  const sys::Pipe pipe = std::move(sys::pipe().value());
  EXPECT_EQ(sys::set_pipe_size(pipe.read_end.get(), 128U << 10U), 128U << 10U);
  EXPECT_EQ(sys::set_pipe_size(pipe.read_end.get(), 100), 4096U);
  EXPECT_EQ(sys::set_pipe_size(-1, 4096), 0U);
}

TEST(SysTest, AnEmptyNonblockingReadIsUnavailable) {
  const sys::Pipe pipe = std::move(sys::pipe().value());
  ASSERT_TRUE(sys::set_nonblocking(pipe.read_end.get(), true));
  std::array<char, 4> buffer;
  EXPECT_EQ(sys::read(pipe.read_end.get(), buffer).error().code(), Errc::kUnavailable);
  ASSERT_TRUE(sys::set_nonblocking(pipe.read_end.get(), false));
  ASSERT_TRUE(sys::write_all(pipe.write_end.get(), "x"));
  EXPECT_EQ(sys::read(pipe.read_end.get(), buffer).value(), 1U);
}

TEST(SysTest, WhatIsPeekedAtStaysInTheSocket) {
  const sys::SocketPair pair = std::move(sys::stream_pair().value());
  std::array<char, 16> buffer;
  EXPECT_EQ(sys::peek(pair.first.get(), buffer).error().code(), Errc::kUnavailable);
  ASSERT_EQ(sys::send_bytes(pair.second.get(), "ab").value(), 2U);
  ASSERT_EQ(sys::send_bytes(pair.second.get(), "cd").value(), 2U);
  EXPECT_EQ(sys::peek(pair.first.get(), buffer).value(), 4U);
  EXPECT_EQ(std::string_view(buffer.data(), 4), "abcd");
  EXPECT_EQ(sys::receive(pair.first.get(), std::span(buffer).first(3)).value(), 3U);
  EXPECT_EQ(sys::peek(pair.first.get(), buffer).value(), 1U);
}

TEST(SysTest, ASocketThatIsFullOrClosedIsSaidSo) {
  sys::SocketPair pair = std::move(sys::stream_pair().value());
  sys::set_buffer_size(pair.first.get(), 32U << 10U);
  auto sent = sys::send_bytes(pair.first.get(), std::string(4096, 'x'));
  while (sent) sent = sys::send_bytes(pair.first.get(), std::string(4096, 'x'));
  EXPECT_EQ(sent.error().code(), Errc::kUnavailable);
  pair.second.reset();
  EXPECT_EQ(sys::send_bytes(pair.first.get(), "x").error().sys_errno(), EPIPE);
}

TEST(SysTest, AMarkStaysWithTheSocketForWhoeverHoldsItNext) {
  sys::SocketPair pair = std::move(sys::stream_pair().value());
  EXPECT_EQ(sys::mark_of(pair.first.get()).value(), 0);
  const Fd kept = std::move(sys::duplicate(pair.first.get()).value());
  ASSERT_TRUE(sys::set_mark(pair.first.get(), 1));
  pair.first.reset();
  EXPECT_EQ(sys::mark_of(kept.get()).value(), 1);
  EXPECT_EQ(sys::mark_of(pair.second.get()).value(), 0);
}

TEST(SysTest, ASealedMemfdNeitherGrowsNorShrinksNorLosesItsSeals) {
  const Fd fd = std::move(sys::memfd("ring", 8192).value());
  EXPECT_EQ(::ftruncate(fd.get(), 16384), -1);
  EXPECT_EQ(::ftruncate(fd.get(), 4096), -1);
  EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
  EXPECT_EQ(::fcntl(fd.get(), F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE), 0)
      << "its bytes stay writable";
  ASSERT_EQ(::lseek(fd.get(), 8192, SEEK_SET), 8192);
  const auto beyond = sys::write(fd.get(), "x");
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().sys_errno(), EPERM);
}

TEST(SysTest, AMemfdOfBytesIsReadFromItsStart) {
  const Fd fd = std::move(sys::memfd_of("state", "hello").value());
  EXPECT_EQ(sys::read_all(fd.get(), 100).value(), "hello");
}

TEST(SysTest, MessagesKeepTheirBordersAndCarryDescriptors) {
  const sys::SocketPair pair = std::move(sys::seqpacket_pair().value());
  const sys::Pipe pipe = std::move(sys::pipe().value());
  const std::array fds{pipe.read_end.get(), pipe.write_end.get()};
  ASSERT_TRUE(sys::send_message(pair.first.get(), "first", fds));
  ASSERT_TRUE(sys::send_message(pair.first.get(), "second", {}));
  const auto first = std::move(sys::receive_message(pair.second.get(), 100).value());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->bytes, "first");
  ASSERT_EQ(first->fds.size(), 2U);
  EXPECT_TRUE(close_on_exec(first->fds[0].get()));
  ASSERT_TRUE(sys::write_all(first->fds[1].get(), "through"));
  EXPECT_EQ(sys::pipe_bytes_waiting(pipe.read_end.get()).value(), 7U);
  EXPECT_EQ(sys::receive_message(pair.second.get(), 100).value()->bytes, "second");
  EXPECT_EQ(sys::receive_message(pair.second.get(), 100).error().code(), Errc::kUnavailable);
}

TEST(SysTest, AMessageToNobodyIsAnErrorAndNoSignal) {
  sys::SocketPair pair = std::move(sys::seqpacket_pair().value());
  pair.second.reset();
  EXPECT_FALSE(sys::send_message(pair.first.get(), "x", {}));
  EXPECT_EQ(sys::receive_message(pair.first.get(), 100).value(), std::nullopt);
}

TEST(SysTest, ConnectsOverASocketFileAndKnowsWhoCalls) {
  const test::TempDir dir;
  const std::string path = dir / "pmx.sock";
  (void)std::move(sys::listen_unix(path, 0600).value());
  const Fd listener = std::move(sys::listen_unix(path, 0600).value());  // Replaces the stale file.
  const Fd client = std::move(sys::connect_unix(path).value());
  const auto peer = sys::peer_credentials(client.get()).value();
  EXPECT_EQ(peer.pid, ::getpid());
  EXPECT_EQ(peer.uid, ::geteuid());
}

TEST(SysTest, ASocketPathThatIsTooLongIsSaidSo) {
  const auto failed = sys::listen_unix("/tmp/" + std::string(120, 'x'), 0600);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::kInvalidArgument);
  EXPECT_NE(failed.error().message().find("PMX_HOME"), std::string::npos);
}

TEST(SysTest, ALockIsForOneDescription) {
  const test::TempDir dir;
  const Fd first = std::move(sys::open(dir / "lock", O_RDWR | O_CREAT).value());
  const Fd second = std::move(sys::open(dir / "lock", O_RDWR).value());
  ASSERT_TRUE(sys::lock_exclusive(first.get()));
  EXPECT_EQ(sys::lock_exclusive(second.get()).error().code(), Errc::kUnavailable);
}

TEST(SysTest, ReadsAWholeFileUpToALimit) {
  const test::TempDir dir;
  const Fd file = std::move(sys::open(dir / "f", O_RDWR | O_CREAT).value());
  ASSERT_TRUE(sys::write_all(file.get(), std::string(100'000, 'x')));
  EXPECT_EQ(sys::read_file(dir / "f").value().size(), 100'000U);
  const auto too_large = sys::read_file(dir / "f", 50'000);
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().message(), (dir / "f") + ": more than 50000 bytes");
}

TEST(SysTest, NamesAProcessForEver) {
  const std::uint64_t ticks = sys::start_time_ticks(::getpid()).value();
  EXPECT_GT(ticks, 0U);
  EXPECT_EQ(sys::start_time_ticks(::getpid()).value(), ticks);
  EXPECT_FALSE(sys::start_time_ticks(999'999'999));
  EXPECT_EQ(sys::boot_id_hash(), sys::boot_id_hash());
  EXPECT_NE(sys::self_exe().find("base_test"), std::string::npos);
}

TEST(SysTest, SignalsAWholeGroupThroughItsLeader) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    for (;;) ::pause();
  }
  ::setpgid(child, child);  // Whoever comes first.
  const Fd pidfd = std::move(sys::pidfd_open(child).value());
  EXPECT_TRUE(sys::pidfd_signal(pidfd.get(), 0));
  ASSERT_TRUE(sys::kill_group(child, SIGTERM));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  EXPECT_EQ(sys::kill_group(child, SIGTERM).error().code(), Errc::kNotFound);
  EXPECT_EQ(sys::pidfd_signal(pidfd.get(), 0).error().code(), Errc::kNotFound);
}

}  // namespace
}  // namespace pmx
