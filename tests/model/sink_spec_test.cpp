#include "model/sink_spec.h"

#include <gtest/gtest.h>

namespace pmx {
namespace {

SinkSpec loki() {
  SinkSpec spec;
  spec.name = "loki-a";
  spec.urls = {"http://a:3100"};
  return spec;
}

TEST(SinkSpecTest, OneStoreIsOneSinkWhateverElseIsSet) {
  SinkSpec other = loki();
  other.filter.level = Severity::kWarn;
  other.batch.max_bytes = 1;
  EXPECT_EQ(sink_id(loki()), sink_id(other));
}

TEST(SinkSpecTest, AnotherTenantUserOrIndexIsAnotherSink) {
  for (std::string SinkSpec::*part : {&SinkSpec::tenant, &SinkSpec::index, &SinkSpec::name}) {
    SinkSpec other = loki();
    other.*part = "b";
    EXPECT_NE(sink_id(loki()), sink_id(other));
  }
  SinkSpec other = loki();
  other.auth.user = "b";
  EXPECT_NE(sink_id(loki()), sink_id(other));
}

}  // namespace
}  // namespace pmx
