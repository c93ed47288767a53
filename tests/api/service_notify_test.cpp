#include "api/service_notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>

#include "base/fd.h"
#include "support/temp_dir.h"

namespace pmx::test {
namespace {

class ServiceNotifyTest : public testing::Test {
 protected:
  ~ServiceNotifyTest() override { ::unsetenv("NOTIFY_SOCKET"); }
  // A manager that listens at `name`, which begins with a NUL where it is abstract.
  void listen_at(const std::string& name) {
    manager_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    ASSERT_EQ(::bind(manager_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  }
  std::string heard() {
    char text[100];
    const auto bytes = ::recv(manager_.get(), text, sizeof text, 0);
    return bytes < 0 ? "nothing" : std::string(text, static_cast<std::size_t>(bytes));
  }

  TempDir home_;
  Fd manager_;
};

TEST_F(ServiceNotifyTest, SpeaksToTheSocketThatTheEnvironmentNames) {
  const std::string path = home_.path() + "/notify";
  listen_at(path);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  EXPECT_TRUE(api::notify_service("READY=1\nMAINPID=17"));
  EXPECT_EQ(heard(), "READY=1\nMAINPID=17");
}

TEST_F(ServiceNotifyTest, SpeaksToAnAbstractSocket) {
  const std::string name = "pmx-notify-" + std::to_string(::getpid());
  listen_at('\0' + name);
  ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  EXPECT_TRUE(api::notify_service("READY=1"));
  EXPECT_EQ(heard(), "READY=1");
}

TEST_F(ServiceNotifyTest, IsSilentWithoutAManagerAndSaysWhatIsWrongWithAName) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(api::notify_service("READY=1"));
  for (const char* const name : {"", "relative/path", "/"}) {
    ::setenv("NOTIFY_SOCKET", name, 1);
    EXPECT_FALSE(api::notify_service("READY=1")) << name;
  }
}

}  // namespace
}  // namespace pmx::test
