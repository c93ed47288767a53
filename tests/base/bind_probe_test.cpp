#include "base/bind_probe.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/bind_trap.h"
#include "base/fd.h"

namespace pmx {
namespace {

bool can_bind() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
}

TEST(BindProbe, LeavesNoTrapBehind) {
  const auto works = probe_bind_trap();
  EXPECT_TRUE(works) << works.error().message();
  EXPECT_TRUE(can_bind());
  EXPECT_TRUE(probe_bind_trap());
}

// What pmx finds in a container whose own manager listens to its calls.
TEST(BindProbe, SaysWhatForbidsIt) {
  const pid_t child = ::fork();
  if (child == 0) {
    const Fd other(trap_binds());
    const auto works = probe_bind_trap();
    ::_exit(!works && works.error().sys_errno() == EBUSY ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace pmx
