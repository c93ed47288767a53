#include "cli/systemd_unit.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

using namespace std::chrono_literals;

SystemdUnit unit() {
  return {"deploy",
          "/home/deploy/.pmx",
          "/usr/local/bin/pmx",
          "/usr/bin:/bin",
          "pm2-deploy.service",
          75s,
          false};
}

TEST(SystemdUnitTest, SaysWhatSystemdMustKnow) {
  const std::string text = unit_text(unit());
  for (const char* const line :
       {"\nType=notify\n", "\nNotifyAccess=all\n", "\nUser=deploy\n", "\nKillMode=mixed\n",
        "\nDelegate=yes\n", "\nOOMPolicy=continue\n", "\nTimeoutStopSec=75\n",
        "\nEnvironment=\"PMX_HOME=/home/deploy/.pmx\"\n", "\nEnvironment=\"PATH=/usr/bin:/bin\"\n",
        "\nExecStart=\"/usr/local/bin/pmx\" ping\n", "\nAlias=pm2-deploy.service\n",
        "\nWantedBy=multi-user.target\n", "\nAfter=network.target\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line;
}

TEST(SystemdUnitTest, HasNoAliasWherePm2HasTheName) {
  SystemdUnit without = unit();
  without.alias.clear();
  EXPECT_EQ(unit_text(without).find("Alias="), std::string::npos);
}

TEST(SystemdUnitTest, WaitsForTheNetworkWhereAsked) {
  SystemdUnit waiting = unit();
  waiting.wait_for_network = true;
  EXPECT_NE(unit_text(waiting).find("\nWants=network-online.target\n"), std::string::npos);
}

TEST(SystemdUnitTest, QuotesWhatSystemdWouldTakeApart) {
  SystemdUnit odd = unit();
  odd.home = "/srv/100%/my \"apps\"";
  odd.program = "/opt/$x/pmx";
  const std::string text = unit_text(odd);
  EXPECT_NE(text.find("Environment=\"PMX_HOME=/srv/100%%/my \\\"apps\\\"\"\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("ExecStart=\"/opt/$$x/pmx\" ping\n"), std::string::npos) << text;
}

TEST(SystemdUnitTest, StopsLaterThanTheSlowestApp) {
  EXPECT_EQ(stop_timeout_for(1600ms), 60s);
  EXPECT_EQ(stop_timeout_for(120'001ms), 136s);
}

TEST(SystemdUnitTest, ShellWordsAreQuotedOnlyWhereTheyMustBe) {
  EXPECT_EQ(shell_word("/usr/bin:/bin"), "/usr/bin:/bin");
  EXPECT_EQ(shell_word("/home/my user"), "'/home/my user'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace pmx::cli
