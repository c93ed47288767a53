#include "cli/console.h"

#include <gtest/gtest.h>

#include "base/sys.h"

namespace pmx::cli {
namespace {

class ConsoleTest : public ::testing::Test {
 protected:
  ConsoleTest() : out_(*sys::pipe()), err_(*sys::pipe()) {}
  Console console(bool silent, bool color) {
    return Console({silent, color, 80, out_.write_end.get(), err_.write_end.get()});
  }
  static std::string read(sys::Pipe& pipe) {
    pipe.write_end.reset();
    return *sys::read_all(pipe.read_end.get(), 1 << 20);
  }
  sys::Pipe out_, err_;
};

TEST_F(ConsoleTest, PutsPm2sPrefixesBeforeLines) {
  Console to = console(false, false);
  to.info("done");
  to.warn("careful");
  to.error("broken");
  EXPECT_EQ(read(out_), "[PM2] done\n");
  EXPECT_EQ(read(err_), "[PM2][WARN] careful\n[PM2][ERROR] broken\n");
}

TEST_F(ConsoleTest, KeepsDataAndErrorsWhenSilent) {
  Console to = console(true, false);
  to.info("done");
  to.text("table");
  to.data("[]");
  to.warn("careful");
  to.error("broken");
  EXPECT_EQ(read(out_), "[]");
  EXPECT_EQ(read(err_), "[PM2][ERROR] broken\n");
}

TEST_F(ConsoleTest, PaintsOnlyWhereColoursAreOn) {
  EXPECT_EQ(console(false, false).paint(Color::kRed, "x"), "x");
  EXPECT_EQ(console(false, true).paint(Color::kRed, "x"), "\x1b[31mx\x1b[0m");
}

}  // namespace
}  // namespace pmx::cli
