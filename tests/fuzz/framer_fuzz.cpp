// The framer against its slow reference. The first bytes choose the limits, the rest are the
// stream.
#include <cstdio>
#include <cstdlib>

#include "fuzz/reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  if (size_bytes < 3) return 0;
  const pmx::capture::FrameLimits limits{.max_line_bytes = 1U + data[0],
                                         .max_batch_bytes = 1U + data[1],
                                         .at_end = (data[2] & 1U) != 0,
                                         .flush_partial = (data[2] & 2U) != 0};
  std::string_view rest(reinterpret_cast<const char*>(data) + 3, size_bytes - 3);
  bool continues = false;
  // As the pipeline does it: batch after batch, until nothing is ready.
  for (;;) {
    const std::string difference = pmx::capture::disagreement_of_frames(rest, limits, continues);
    if (!difference.empty()) {
      std::fprintf(stderr, "%s\n", difference.c_str());
      std::abort();
    }
    const pmx::LineBatch batch = pmx::capture::frame(rest, limits, continues);
    if (batch.bytes.empty()) return 0;
    continues = batch.partial;
    rest.remove_prefix(batch.bytes.size());
  }
}
