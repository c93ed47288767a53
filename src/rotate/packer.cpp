#include "rotate/packer.h"

#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

#include "rotate/internal/pack_queue.h"
#include "rotate/internal/pack_step.h"

namespace pmx::rotate {
namespace {

constexpr int kNice = 10;
constexpr std::size_t kMostBehind = 4;  // Segments that wait to be packed, before room comes first.

std::string seconds_text(std::chrono::milliseconds delay) {
  return std::to_string((delay.count() + 999) / 1000) + " s";
}

}  // namespace

Result<std::unique_ptr<Packer>> Packer::start(Fs& state, const Clock& clock, Events events,
                                              Options options) {
  std::unique_ptr<Packer> packer(new Packer(state, clock, std::move(events), std::move(options)));
  packer->loop_ = PMX_TRY(EventLoop::create());
  packer->thread_ = std::thread([raw = packer.get()] { raw->enter_thread(); });
  return packer;
}

Packer::Packer(Fs& state, const Clock& clock, Events events, Options options)
    : state_(state),
      clock_(clock),
      events_(std::move(events)),
      options_(std::move(options)),
      queue_(std::make_unique<internal::PackQueue>(options_.first_retry, options_.last_retry)) {}

Packer::~Packer() { stop(); }

void Packer::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  loop_->stop();
  thread_.join();
}

bool Packer::post(PackJob job) { return enqueue(std::move(job), false); }

bool Packer::scan(PackJob job) { return enqueue(std::move(job), true); }

void Packer::run(std::function<void()> task) { loop_->post(std::move(task)); }

bool Packer::enqueue(PackJob job, bool remove_half_archives) {
  if (posted_.fetch_add(1) >= kMaxPosted) {
    --posted_;
    return false;
  }
  loop_->post([this, job = std::move(job), remove_half_archives]() mutable {
    --posted_;
    queue_->add(std::move(job), remove_half_archives, clock_.steady_now());
    wake_when_due();
  });
  return true;
}

void Packer::enter_thread() {
  // Workers and the log thread come first, but a machine that is always busy must not keep this
  // thread from bounding the disk: not SCHED_IDLE, which then gets nothing for minutes. Where it is
  // refused, packing is only less polite.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  const sched_param none{};
  (void)::sched_setscheduler(0, SCHED_BATCH, &none);  // 0: this thread.
  loop_->run();
}

void Packer::wake_when_due() {
  loop_->cancel(timer_);
  if (const auto due = queue_->next_due()) {
    timer_ = loop_->call_at(*due, [this] { work_on_next(); });
    return;
  }
  // Compression touched megabytes that an idle daemon does not need; free() alone keeps them.
  ::malloc_trim(0);
}

// One segment, then back to the loop: no log waits for another's backlog, and stop() is heard.
void Packer::work_on_next() {
  if (stopping_) return;  // Without a new timer: a due one would keep the loop from ending.
  if (internal::PackEntry* const entry = queue_->next(clock_.steady_now())) {
    const auto more = work_on(*entry);
    if (stopping_) return;  // An error would only say so.
    conclude(*entry, more);
    settle();
  }
  wake_when_due();
}

void Packer::settle() {
  if (!unsettled_since_) return;
  const auto now = clock_.steady_now();
  const auto due = queue_->next_due();
  if (due && *due <= now && now - *unsettled_since_ < kSettleAfter) return;
  unsettled_since_.reset();
  if (events_.settled) events_.settled();
}

void Packer::conclude(internal::PackEntry& entry, const Result<bool>& more) {
  if (!more) return fail(entry, more.error());
  if (entry.failures != 0)
    notice(entry.job.dir.active_path() + ": packing and retention work again");
  if (*more)
    queue_->requeue(entry, clock_.steady_now());
  else
    queue_->remove(entry);
}

// True: there is more to be done for this log.
Result<bool> Packer::work_on(internal::PackEntry& entry) {
  const PackJob& job = entry.job;
  const auto files = options_.files(job.owner);
  if (entry.remove_half_archives) PMX_TRY(remove_half_archives(*files, job.dir));
  entry.remove_half_archives = false;
  if (const std::uint64_t below = std::exchange(entry.job.flush_below, 0); below > 0) {
    // Whatever was being packed meanwhile is an archive by now, and goes too.
    const auto flushed = internal::remove_below(*files, state_, job.dir, below);
    if (const auto done = std::exchange(entry.job.flushed, {})) done(flushed);
    if (flushed && job.segment < below) return false;  // Nothing is left to pack or to retire.
  }
  // Packing that cannot keep up must not keep retention from bounding the disk. Where it can, it
  // goes first: what a bound counts is then as small as it will be.
  if (PMX_TRY(internal::unpacked_segments(*files, job)) > kMostBehind)
    PMX_TRY(retire_now(entry, *files));
  const auto packed =
      internal::pack_oldest(*files, state_, job, [this] { return stopping_.load(); });
  if (packed && *packed) {
    ++entry.segments_packed;
    return true;
  }
  if (stopping_) return false;
  // Also where packing fails: the room that it wants may be in what is to be retired.
  const auto retired = retire_now(entry, *files);
  if (!packed) return packed.error();
  PMX_TRY(retired);
  return false;
}

Result<void> Packer::retire_now(const internal::PackEntry& entry, Fs& files) {
  const PackJob& job = entry.job;
  auto retired = retire(files, state_, job.dir, job.policy, clock_.system_ns(), job.floor_segment);
  if (!retired)
    return std::move(retired).error().within("retire sealed files of " + job.dir.active_path());
  if (!unsettled_since_) unsettled_since_ = clock_.steady_now();
  if (events_.retired)
    events_.retired({job.dir.active_path(), entry.segments_packed, std::move(*retired)});
  return {};
}

void Packer::fail(internal::PackEntry& entry, const Error& error) {
  const bool is_news = entry.failures == 0;
  const auto delay = queue_->fail(entry, clock_.steady_now());
  if (is_news)
    notice(entry.job.dir.active_path() + ": " + error.message() + "; trying again in " +
           seconds_text(delay));
}

void Packer::notice(const std::string& line) const {
  if (events_.notice) events_.notice(line);
}

}  // namespace pmx::rotate
