#include "model/ids.h"

#include <gtest/gtest.h>

namespace pmx {
namespace {

TEST(IdsTest, ARunHasTwoStreamsAndEachKnowsItsRun) {
  const RunId run{1'795'428'309'123'456'788};
  const StreamId out = stream_of(run, StreamKind::kOut);
  const StreamId err = stream_of(run, StreamKind::kErr);
  EXPECT_NE(out, err);
  EXPECT_EQ(run_of(out), run);
  EXPECT_EQ(run_of(err), run);
  EXPECT_NE(run_of(stream_of(RunId{run.value + 2}, StreamKind::kOut)), run);
}

TEST(IdsTest, ALogsIdIsTheHashOfItsPathForEver) {
  // FNV-1a, 64 bits. Index files are named by it: another value would orphan them.
  EXPECT_EQ(log_id_of("").hex(), "cbf29ce484222325");
  EXPECT_EQ(log_id_of("a").hex(), "af63dc4c8601ec8c");
  EXPECT_EQ(log_id_of("foobar").hex(), "85944171f73967e8");
  EXPECT_NE(log_id_of("/logs/web-out.log"), log_id_of("/logs/web-error.log"));
}

TEST(IdsTest, HexHasAlwaysSixteenDigits) { EXPECT_EQ(LogId{0x2a}.hex(), "000000000000002a"); }

}  // namespace
}  // namespace pmx
