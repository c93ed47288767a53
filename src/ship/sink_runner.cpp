#include "ship/sink_runner.h"

#include <algorithm>
#include <cmath>

#include "ship/make_sink.h"

namespace pmx::ship {
namespace {

constexpr const char* kRatesFile = "rates.json";
constexpr auto kSyncAfter = std::chrono::milliseconds(500);  // Of the second that is promised.

std::string seconds_text(std::chrono::nanoseconds left) {
  const double seconds = std::max(0.0, std::chrono::duration<double>(left).count());
  return std::to_string(static_cast<long>(std::ceil(seconds))) + " s";
}

}  // namespace

Result<std::unique_ptr<SinkRunner>> SinkRunner::create(SinkContext context, RunnerParts parts,
                                                       std::unique_ptr<HttpTransport> transport) {
  std::unique_ptr<SinkRunner> runner(new SinkRunner(std::move(context), std::move(parts)));
  const SinkSpec& spec = runner->context_.spec;
  runner->context_.clock = &runner->parts_.clock;
  runner->sink_ = make_sink(runner->context_);
  if (const auto rates = runner->parts_.state.read_file(runner->rates_path()))
    runner->sink_->restore_rates(*rates);
  runner->filter_ = PMX_TRY_WITHIN(spec.name, EventFilter::create(spec.filter));
  if (spec.redact.any())
    runner->redactor_ = PMX_TRY_WITHIN(spec.name, redact::Redactor::create(spec.redact));
  runner->dead_letters_ =
      PMX_TRY(DeadLetters::open(runner->parts_.state, runner->parts_.home,
                                {spec.name, sink_id(spec), runner->parts_.name_is_shared}));
  runner->transport_ = std::move(transport);
  return runner;
}

std::string SinkRunner::rates_path() const {
  return parts_.home + "/state/ship/" + sink_id(context_.spec) + "/" + kRatesFile;
}

// Where it cannot be kept, the next daemon measures anew.
void SinkRunner::batch_built() {
  if (const auto rates = sink_->take_rates()) (void)parts_.state.replace_file(rates_path(), *rates);
}

void SinkRunner::set_lane(const std::string& base, const LaneFile& file) {
  if (file.wanted)
    unwanted_.erase(base);
  else
    unwanted_.insert(base);
  std::unique_ptr<Lane>& lane = lanes_[base];
  const bool fresh = lane == nullptr;
  if (fresh) {
    const SinkSpec& spec = context_.spec;
    lane = std::make_unique<Lane>(
        LaneParts{parts_.state, parts_.clock, parts_.timers, *sink_, *transport_, *dead_letters_,
                  *this, file.origin.app, spec.batch.max_age},
        BatcherParts{*sink_,
                     *filter_,
                     redactor_.get(),
                     spec.batch,
                     {spec.strip_ansi},
                     spec.multiline,
                     parts_.clock,
                     parts_.severity_of,
                     parts_.run_of},
        base);
  }
  const std::string state_directory = base.substr(0, base.rfind("/ship/"));
  for (const LaneLog& log : file.logs) {
    if (lane->has_source(log.path)) continue;
    Origin origin = file.origin;
    origin.log = log_id_of(log.path);
    lane->add_source(parts_.files(log.owner), rotate::LogDir(state_directory, log.path),
                     std::move(origin), log.begin);
  }
  for (const LaneLog& log : file.logs) {
    lane->set_end(log.path, log.end);
    lane->set_wanted(log.path, log.wanted || !file.wanted);  // Of such a lane all goes at once.
  }
  if (fresh) lane->start();
  if (!file.wanted || lane->has_unwanted_logs()) sync_soon();
}

void SinkRunner::drop_log(const std::string& base, const std::string& path) {
  const auto found = lanes_.find(base);
  if (found != lanes_.end()) found->second->drop_source(path);
}

void SinkRunner::lines_came(const std::string& path, bool many) {
  for (const auto& [base, lane] : lanes_)
    if (lane->has_source(path)) lane->lines_came(path, many);
}

void SinkRunner::expect_flush(const std::string& path, std::uint64_t below_segment) {
  for (const auto& [base, lane] : lanes_)
    if (lane->has_source(path)) lane->expect_flush(path, below_segment);
}

// ---- Who may send.

void SinkRunner::wants_slot(Lane& lane) {
  if (std::find(queue_.begin(), queue_.end(), &lane) == queue_.end()) queue_.push_back(&lane);
  pump();
}

void SinkRunner::gives_slot_back(Lane& lane) {
  active_.erase(&lane);
  if (!unwanted_.empty() || lane.has_unwanted_logs()) sync_soon();  // One may have ended.
  pump();
}

// Not from within a lane's own call: it is in the middle of something.
void SinkRunner::pump() {
  if (pump_timer_ != 0 || queue_.empty() || paused_) return;
  pump_timer_ = parts_.timers.call_after(std::chrono::nanoseconds(0), [this] {
    pump_timer_ = 0;
    const std::size_t limit = store_ == Store::kOk ? limit_.limit() : 1;
    while (!queue_.empty() && active_.size() < limit && !paused_) {
      Lane* const lane = queue_.front();
      queue_.pop_front();
      active_.insert(lane);
      lane->work();
    }
  });
}

std::chrono::steady_clock::time_point SinkRunner::sent() {
  ++requests_;
  return limit_.started();
}

void SinkRunner::cancelled(std::chrono::steady_clock::time_point sent_at) {
  limit_.ended(sent_at, ConcurrencyLimit::Answer::kOther);
}

void SinkRunner::answered(std::chrono::steady_clock::time_point sent_at, const Verdict& verdict,
                          const HttpAnswer& answer) {
  limit_.ended(sent_at, verdict.backpressure ? ConcurrencyLimit::Answer::kBackpressure
                        : answer.status == 0 ? ConcurrencyLimit::Answer::kOther
                                             : ConcurrencyLimit::Answer::kGood);
  const bool fine =
      verdict.kind != Verdict::Kind::kRetry && verdict.kind != Verdict::Kind::kBlocked;
  if (!fine || !verdict.why.empty()) {
    last_error_ = verdict.why;
    last_error_ns_ = parts_.clock.system_ns();
  }
  const Store before = store_;
  if (fine) {
    store_ = Store::kOk;
    why_.clear();
    if (before == Store::kOk) return;
    notice("works again");
    for (const auto& [base, lane] : lanes_) lane->retry_now();
    return pump();
  }
  store_ = verdict.kind == Verdict::Kind::kBlocked ? Store::kBlocked : Store::kRetrying;
  why_ = verdict.why;
  if (before != store_ && store_ == Store::kBlocked) parts_.blocked();
  if (before != store_)
    notice(why_ + (store_ == Store::kBlocked ? ": lines wait" : ": trying again"));
}

void SinkRunner::pause() { paused_ = true; }

void SinkRunner::resume() {
  paused_ = false;
  for (const auto& [base, lane] : lanes_) lane->retry_now();
  pump();
}

// ---- Cursors.

void SinkRunner::settled(Lane& lane) {
  dirty_.insert(&lane);
  sync_soon();
}

void SinkRunner::sync() {
  sync_timer_ = 0;
  std::erase_if(dirty_, [](Lane* lane) { return lane->sync(); });
  if (!dirty_.empty()) sync_soon();
  for (const std::string& base : std::set<std::string>(unwanted_)) retire(base);
  for (const auto& [base, lane] : lanes_) {
    if (dirty_.contains(lane.get())) continue;
    for (const std::string& path : lane->ended_logs()) parts_.log_ended(base, path);
  }
  parts_.floors_moved();
}

// A lane that nobody wants any more goes when it has nothing left. Its files are control's, which
// may want it again just now.
void SinkRunner::retire(const std::string& base) {
  const auto found = lanes_.find(base);
  if (found == lanes_.end() || !found->second->finished()) return;
  if (dirty_.contains(found->second.get())) return;  // When its dead letters are on the disk.
  unwanted_.erase(base);
  lanes_.erase(found);
  parts_.lane_ended(base);
}

void SinkRunner::sync_soon() {
  if (sync_timer_ == 0) sync_timer_ = parts_.timers.call_after(kSyncAfter, [this] { sync(); });
}

void SinkRunner::hurry() {
  for (const auto& [base, lane] : lanes_) lane->hurry();
}

bool SinkRunner::idle() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const auto& entry) { return entry.second->idle(); });
}

void SinkRunner::stop() {
  parts_.timers.cancel(std::exchange(pump_timer_, 0));
  parts_.timers.cancel(std::exchange(sync_timer_, 0));
  stop_retry();
  for (const auto& [base, lane] : lanes_) lane->stop();
  for (Lane* const lane : std::exchange(dirty_, {})) lane->sync();
}

void SinkRunner::add_floors(Floors& floors) const {
  for (const auto& [base, lane] : lanes_)
    for (const auto& [path, log] : lane->synced_cursor())
      if (path != kGoneLogs) lower_floor(floors, path, log.at.segment);
}

// Once, until something else is to be said.
void SinkRunner::notice(const std::string& line) {
  if (line == last_notice_) return;
  last_notice_ = line;
  parts_.notice("ship " + name_ + ": " + line);
}

// ---- Status.

std::string SinkRunner::state_text() const {
  if (paused_) return "paused";
  if (store_ == Store::kOk) return "ok";
  std::optional<std::chrono::steady_clock::time_point> next;
  for (const auto& [base, lane] : lanes_)
    if (lane->next_try() && (!next || *lane->next_try() < *next)) next = lane->next_try();
  const std::string when =
      next ? ", next in " + seconds_text(*next - parts_.clock.steady_now()) : "";
  if (store_ == Store::kBlocked) return "blocked: " + why_;
  return "retrying (" + why_ + when + ")";
}

std::string SinkRunner::where() const {
  const SinkSpec& spec = context_.spec;
  std::string text = spec.urls.empty() ? "" : spec.urls.front();
  for (const auto& [what, value] :
       {std::pair{"tenant", &spec.tenant}, {"index", &spec.index}, {"user", &spec.auth.user}})
    if (!value->empty()) text += std::string(", ") + what + " " + *value;
  return text;
}

Json SinkRunner::status(
    const std::function<std::optional<std::uint64_t>(const std::string&)>& next_number) const {
  Tally tally;
  std::uint64_t captured = 0;
  Json apps = Json::array();
  std::chrono::milliseconds lag{0};
  for (const auto& [base, lane] : lanes_) {
    apps.push_back(lane->app());
    lag = std::max(lag, lane->lag());
    for (const auto& [path, log] : lane->cursor()) {
      tally += log.tally;
      const auto next = next_number(path);
      // The number was read before the cursor, or its log is not loaded yet after a start.
      const std::uint64_t settled = log.tally.settled();
      captured += next && *next > log.begin ? std::max(*next - log.begin, settled) : settled;
    }
  }
  const DeadLetters::Counts letters = dead_letters_->counts();
  Json counts = to_json(tally);
  return Json::object({{"id", sink_id(context_.spec)},
                       {"name", name_},
                       {"type", name_of(context_.spec.type)},
                       {"url", context_.spec.urls.empty() ? "" : context_.spec.urls.front()},
                       {"where", name_ == context_.spec.name ? "" : where()},
                       {"state", paused_                     ? "paused"
                                 : store_ == Store::kOk      ? "ok"
                                 : store_ == Store::kBlocked ? "blocked"
                                                             : "retrying"},
                       {"state_text", state_text()},
                       {"lag_ms", lag.count()},
                       {"waiting_lines", captured - tally.settled()},
                       {"captured_lines", captured},
                       {"delivered_lines", tally.delivered},
                       {"duplicate_lines", tally.duplicates},
                       {"dropped", counts["dropped"]},
                       {"dead_letters", letters.waiting},
                       {"dead_letters_dropped", letters.dropped},
                       {"last_error", last_error_},
                       {"last_error_time_ms", last_error_ns_ / 1'000'000},
                       {"apps", apps},
                       {"requests", requests_},
                       {"in_flight", active_.size()},
                       {"concurrency", limit_.limit()}});
}

}  // namespace pmx::ship
