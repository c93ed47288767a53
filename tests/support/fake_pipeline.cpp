#include "support/fake_pipeline.h"

namespace pmx::test {

void FakePipeline::add_run(supervisor::RunFds run, std::vector<supervisor::IntentFd> new_intents) {
  for (const supervisor::IntentFd& intent : new_intents) intents_.push_back(intent.log);
  runs_.push_back(std::move(run));
}

void FakePipeline::rotate(std::vector<std::string> paths, Rotate how,
                          std::function<void(Result<void>)> done) {
  rotations_.push_back({std::move(paths), how});
  if (rotate_error_) return done(*rotate_error_);
  done({});
}

void FakePipeline::drained(RunId run, std::chrono::milliseconds, std::function<void()> done) {
  drained_.push_back(run);
  if (!drains_at_once_) return draining_.push_back(std::move(done));
  done();
}

void FakePipeline::opened(std::function<void()> done) {
  if (!opens_at_once_) return opening_.push_back(std::move(done));
  done();
}

}  // namespace pmx::test
