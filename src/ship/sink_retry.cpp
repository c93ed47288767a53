// `pmx ship retry`: the dead letters, sent once more.
//
// Letters of one group in a row are one request. Where the store cannot say which of them is at
// fault, half as many go next, down to one; with each request that is answered for, twice as many.
// A letter that is refused again goes behind all others, beyond the place where the retry ends.
#include <algorithm>
#include <limits>
#include <utility>

#include "ship/sink_runner.h"

namespace pmx::ship {

struct SinkRunner::RetryJob {
  DeadLetters::Place end = 0;    // What comes later was refused again.
  DeadLetters::Place up_to = 0;  // Of the letters on their way.
  std::size_t most = std::numeric_limits<std::uint32_t>::max();  // Letters of the next request.
  std::vector<DeadLetter> letters;
  std::vector<Item> items;
  std::string bytes;
  std::uint64_t taken = 0;  // Lines.
  std::optional<HttpTransport::Id> request;
  std::function<void(Result<std::uint64_t>)> done;
};

// Here, where RetryJob is known.
SinkRunner::SinkRunner(SinkContext context, RunnerParts parts)
    : context_(std::move(context)), parts_(std::move(parts)), limit_(parts_.clock) {}

SinkRunner::~SinkRunner() { stop(); }

void SinkRunner::retry(std::function<void(Result<std::uint64_t>)> done) {
  if (retry_) return done(Error(Errc::kUnavailable, "the last retry is still at work"));
  retry_ = std::make_unique<RetryJob>();
  retry_->end = dead_letters_->end();
  retry_->done = std::move(done);
  for (const auto& [base, lane] : lanes_) lane->retry_now();
  retry_next();
}

void SinkRunner::end_retry(Result<std::uint64_t> taken) {
  const auto job = std::move(retry_);  // It may be called again from `done`.
  job->done(std::move(taken));
}

void SinkRunner::stop_retry() {
  if (!retry_) return;
  if (retry_->request) transport_->cancel(*retry_->request);
  end_retry(Error(Errc::kUnavailable, "the sink was stopped (" + std::to_string(retry_->taken) +
                                          " lines were taken before)"));
}

void SinkRunner::retry_next() {
  RetryJob& job = *retry_;
  if (dead_letters_->begin() >= job.end) return end_retry(job.taken);
  auto page = dead_letters_->read(dead_letters_->begin());
  if (!page) return end_retry(page.error());
  job.letters.clear();
  job.items.clear();
  job.bytes.clear();
  for (DeadLetters::Entry& entry : page->entries) {
    DeadLetter& letter = entry.letter;
    if (entry.end > job.end || job.letters.size() >= job.most) break;
    if (!job.letters.empty() && letter.group != job.letters.front().group) break;
    job.up_to = entry.end;
    job.bytes += letter.item;
    job.items.push_back(
        {static_cast<std::uint32_t>(letter.item.size()), letter.lines, letter.seq, letter.time_ns});
    job.letters.push_back(std::move(letter));
  }
  if (job.letters.empty()) {  // Only lines that are no letters.
    const auto removed = dead_letters_->take_retried(job.end);
    return removed ? end_retry(job.taken) : end_retry(removed.error());
  }
  const Sink::Group group = sink_->group_named(job.letters.front().group);
  job.request =
      transport_->send(sink_->request(group, sink_->frame(group, job.bytes).body, 0),
                       [this](const HttpAnswer& answer) {
                         retry_->request.reset();
                         retry_answered(sink_->judge(answer, retry_->items, retry_->bytes));
                       });
}

void SinkRunner::retry_answered(const Verdict& verdict) {
  RetryJob& job = *retry_;
  if (verdict.kind == Verdict::Kind::kRetry || verdict.kind == Verdict::Kind::kBlocked)
    return end_retry(Error(Errc::kUnavailable, verdict.why + " (" + std::to_string(job.taken) +
                                                   " lines were taken before)"));
  if (verdict.kind == Verdict::Kind::kSplit && job.letters.size() > 1) {
    job.most = job.letters.size() / 2;
    return retry_next();
  }
  const auto settled = retry_settled(verdict);
  if (!settled) return end_retry(settled.error());
  job.most = 2 * std::min<std::size_t>(job.most, std::numeric_limits<std::uint32_t>::max());
  retry_next();
}

// First what was refused is kept, then the letters go: what fails between leaves one too many.
Result<void> SinkRunner::retry_settled(const Verdict& verdict) {
  RetryJob& job = *retry_;
  std::vector<DeadLetter> again;
  std::map<LogId, std::uint64_t> taken;
  for (std::size_t i = 0; i < job.letters.size(); ++i) {
    DeadLetter& letter = job.letters[i];
    ItemVerdict answer;
    if (verdict.kind == Verdict::Kind::kItems) answer = verdict.items[i];
    if (verdict.kind == Verdict::Kind::kSplit)  // Of one letter: it is that one's fault.
      answer = {ItemVerdict::Kind::kRefused, letter.status, verdict.why};
    if (answer.kind == ItemVerdict::Kind::kRetry || answer.kind == ItemVerdict::Kind::kRefused) {
      letter.store = answer.reason;
      again.push_back(std::move(letter));
    } else {
      taken[letter.log] += letter.lines;
    }
  }
  PMX_TRY(dead_letters_->append(again));
  PMX_TRY(dead_letters_->take_retried(job.up_to));
  for (const auto& [log, lines] : taken) {
    job.taken += lines;
    for (const auto& [base, lane] : lanes_) lane->redelivered(log, lines);
  }
  return {};
}

}  // namespace pmx::ship
