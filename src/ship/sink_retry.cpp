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
namespace {

// So many refused one by one, and none taken: the store has not changed its mind.
constexpr std::size_t kEnoughRefused = 64;
constexpr std::size_t kMostUnwritten = 256;

}  // namespace

struct SinkRunner::RetryJob {
  DeadLetters::Place end = 0;         // What comes later was refused again.
  DeadLetters::Place settled_to = 0;  // Behind all that was answered for.
  DeadLetters::Page page;
  std::size_t next = 0;   // Of the page: the first letter that is not answered for.
  std::size_t count = 0;  // From there: on their way.
  std::size_t most = std::numeric_limits<std::uint32_t>::max();  // Letters of the next request.
  std::vector<Item> items;
  std::string bytes;
  std::vector<DeadLetter> again;  // Refused again, not yet written.
  std::map<std::pair<std::string, LogId>, std::uint64_t> taken_from;  // By app and log, as well.
  std::uint64_t taken = 0;                                            // Lines.
  std::size_t refused = 0;                                            // Letters, one by one.
  std::optional<HttpTransport::Id> request;
  std::function<void(Result<std::uint64_t>)> done;

  DeadLetter& letter(std::size_t i) { return page.entries[next + i].letter; }
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
  const auto kept = keep_retried();
  const auto job = std::move(retry_);  // It may be called again from `done`.
  job->done(kept ? std::move(taken) : Result<std::uint64_t>(kept.error()));
}

void SinkRunner::stop_retry() {
  if (!retry_) return;
  if (retry_->request) transport_->cancel(*retry_->request);
  end_retry(Error(Errc::kUnavailable, "the sink was stopped (" + std::to_string(retry_->taken) +
                                          " lines were taken before)"));
}

// The letters of the page that go next, as one request can have them. False: their items cannot be
// read, and there is nothing to be sent.
bool SinkRunner::gather_letters() {
  RetryJob& job = *retry_;
  job.items.clear();
  job.bytes.clear();
  job.count = 0;
  bool readable = true;  // All of this request, or none.
  for (std::size_t at = job.next; at < job.page.entries.size() && job.count < job.most; ++at) {
    DeadLetter& letter = job.page.entries[at].letter;
    if (job.page.entries[at].end > job.end) break;
    const bool known = encode_for_now(letter);
    const bool goes_with =
        known == readable && (!known || job.count == 0 || letter.group == job.letter(0).group);
    if (job.count > 0 && !goes_with) break;
    readable = known;
    job.bytes += letter.item;
    job.items.push_back(
        {static_cast<std::uint32_t>(letter.item.size()), letter.lines, letter.seq, letter.time_ns});
    ++job.count;
  }
  return readable;
}

// A page of letters at a time: what is refused stays in memory until it is written in one go.
void SinkRunner::retry_next() {
  RetryJob& job = *retry_;
  if (job.next == job.page.entries.size()) {
    const auto kept = keep_retried();
    if (!kept) return end_retry(kept.error());
    if (dead_letters_->begin() >= job.end) return end_retry(job.taken);
    auto page = dead_letters_->read(dead_letters_->begin());
    if (!page) return end_retry(page.error());
    job.page = std::move(*page);
    job.next = 0;
  }
  const bool readable = gather_letters();
  if (job.count == 0) {  // Only lines that are no letters, up to where the retry ends.
    job.settled_to = job.end;
    return end_retry(job.taken);
  }
  if (!readable) {
    Verdict refused;
    refused.kind = Verdict::Kind::kItems;
    refused.items.assign(job.count, {ItemVerdict::Kind::kRefused, 0,
                                     "not sent: \"item\" is not what \"coding\" says"});
    return retry_answered(refused);
  }
  const Sink::Group group = sink_->group_named(job.letter(0).group);
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
  if (verdict.kind == Verdict::Kind::kSplit && job.count > 1) {
    job.most = job.count / 2;
    return retry_next();
  }
  const bool refused_alone = settle_letters(verdict) == 0 && job.count == 1;
  if (refused_alone && job.taken == 0 && ++job.refused == kEnoughRefused) {
    const std::string why = job.again.empty() ? verdict.why : job.again.back().store;
    return end_retry(
        Error(Errc::kUnavailable, "still refused: " + why + " (" + std::to_string(job.refused) +
                                      " lines were tried one by one, and none was taken)"));
  }
  if (!refused_alone)
    job.most = 2 * std::min<std::size_t>(job.most, std::numeric_limits<std::uint32_t>::max());
  if (!job.taken_from.empty() || job.again.size() >= kMostUnwritten) {
    const auto kept = keep_retried();
    if (!kept) return end_retry(kept.error());
  }
  retry_next();
}

// How many letters were taken.
std::size_t SinkRunner::settle_letters(const Verdict& verdict) {
  RetryJob& job = *retry_;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < job.count; ++i) {
    DeadLetter& letter = job.letter(i);
    ItemVerdict answer;
    if (verdict.kind == Verdict::Kind::kItems) answer = verdict.items[i];
    if (verdict.kind == Verdict::Kind::kSplit)  // Of one letter: it is that one's fault.
      answer = {ItemVerdict::Kind::kRefused, letter.status, verdict.why};
    if (answer.kind == ItemVerdict::Kind::kRetry || answer.kind == ItemVerdict::Kind::kRefused) {
      letter.store = answer.reason;
      job.again.push_back(std::move(letter));
    } else {
      job.taken_from[{letter.app, letter.log}] += letter.lines;
      job.taken += letter.lines;
      ++taken;
    }
  }
  job.settled_to = job.page.entries[job.next + job.count - 1].end;
  job.next += job.count;
  return taken;
}

// First what was refused is kept, then the letters go: what fails between leaves one too many.
Result<void> SinkRunner::keep_retried() {
  RetryJob& job = *retry_;
  PMX_TRY(dead_letters_->append(job.again));
  job.again.clear();
  PMX_TRY(dead_letters_->take_retried(job.settled_to));
  for (const auto& [from, lines] : std::exchange(job.taken_from, {}))
    for (const auto& [base, lane] : lanes_) lane->redelivered(from.first, from.second, lines);
  return {};
}

}  // namespace pmx::ship
