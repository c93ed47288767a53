// `pmx ship retry`: the dead letters, sent once more.
//
// Letters of one group in a row are one request. Where the store cannot say which of them is at
// fault, half as many go next, down to one; with each request that is answered for, twice as many.
// A letter that is refused again goes behind all others, beyond the place where the retry ends.
//
// A letter goes as it was encoded, unless the sink speaks otherwise by now (Loki's `encoding` was
// changed, or the name belongs to another kind of store): then its event is read back and encoded
// anew.
#include <algorithm>
#include <limits>
#include <utility>

#include "rotate/segment_reader.h"
#include "ship/item_reader.h"
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
    : context_(std::move(context)),
      parts_(std::move(parts)),
      name_(context_.spec.name),
      limit_(parts_.clock) {}

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
  bool readable = true;  // All of this request, or none.
  for (DeadLetters::Entry& entry : page->entries) {
    DeadLetter& letter = entry.letter;
    if (entry.end > job.end || (readable && job.letters.size() >= job.most)) break;
    const bool known = encode_for_now(letter);
    const bool goes_with = known == readable && (!known || job.letters.empty() ||
                                                 letter.group == job.letters.front().group);
    if (!job.letters.empty() && !goes_with) break;
    readable = known;
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
  if (!readable) {
    Verdict refused;
    refused.kind = Verdict::Kind::kItems;
    refused.items.assign(job.letters.size(), {ItemVerdict::Kind::kRefused, 0,
                                              "not sent: \"item\" is not what \"coding\" says"});
    return retry_answered(refused);
  }
  const Sink::Group group = sink_->group_named(job.letters.front().group);
  job.request =
      transport_->send(sink_->request(group, sink_->frame(group, job.bytes).body, 0),
                       [this](const HttpAnswer& answer) {
                         retry_->request.reset();
                         retry_answered(sink_->judge(answer, retry_->items, retry_->bytes));
                       });
}

// The letter as this sink sends it today. False: its item cannot be read.
bool SinkRunner::encode_for_now(DeadLetter& letter) const {
  const std::string_view coding =
      letter.coding.empty() ? coding_of_item(letter.item) : std::string_view(letter.coding);
  if (coding.empty() || coding == sink_->coding()) return true;
  auto facts = read_item(coding, letter.group, letter.item);
  if (!facts) return false;
  Event event;
  const std::size_t size = facts->text.size();
  facts->text.append(rotate::kReadablePastEnd, '\0');
  event.text = std::string_view(facts->text).substr(0, size);
  event.time_ns = letter.time_ns;
  event.seq = letter.seq;
  event.lines = letter.lines;
  event.kind = facts->kind;
  event.run = facts->run;
  event.part = facts->part;
  event.parts = facts->parts;
  event.notice = letter.lines == 0 && event.parts == 0;
  event.severity = event.notice ? Severity::kWarn : parts_.severity_of(event.text);
  facts->origin.app = letter.app;
  facts->origin.log = letter.log;
  event.origin = &facts->origin;
  for (const auto& [base, lane] : lanes_)
    if (const Origin* const origin = lane->origin_of(letter.log)) event.origin = origin;
  letter.group = letter.stream = sink_->name_of(sink_->group_of(event));
  letter.item.clear();
  sink_->encode(event, letter.item);
  letter.coding = sink_->coding();
  return true;
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
  std::map<std::pair<std::string, LogId>, std::uint64_t> taken;  // By app and log.
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
      taken[{letter.app, letter.log}] += letter.lines;
    }
  }
  PMX_TRY(dead_letters_->append(again));
  PMX_TRY(dead_letters_->take_retried(job.up_to));
  for (const auto& [from, lines] : taken) {
    job.taken += lines;
    for (const auto& [base, lane] : lanes_) lane->redelivered(from.first, from.second, lines);
  }
  return {};
}

}  // namespace pmx::ship
