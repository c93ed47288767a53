#include "sim/support/simulation.h"

#include <algorithm>
#include <chrono>
#include <iostream>

#include "base/check.h"
#include "base/sys.h"
#include "capture/ring.h"
#include "rotate/intent_page.h"

namespace pmx::sim {
namespace {

using supervisor::Log;
using test::FaultFs;

// The capture side's: the keeper's and the supervisor's have no part here.
constexpr std::array kRecoveryPoints{CrashPoint::kRecoverIndexCut,  CrashPoint::kRecoverLogOpened,
                                     CrashPoint::kRecoverSeek,      CrashPoint::kRedoHalf,
                                     CrashPoint::kRedoBeforeRecord, CrashPoint::kAfterRedo};
constexpr std::array kPoints{
    CrashPoint::kAfterSplice,   CrashPoint::kRingEndBeforeSeek, CrashPoint::kRingEndAfterSeek,
    CrashPoint::kIntentHalf,    CrashPoint::kAfterIntent,       CrashPoint::kDataHalf,
    CrashPoint::kAfterData,     CrashPoint::kRecordHalf,        CrashPoint::kAfterRecord,
    CrashPoint::kSealHalf,      CrashPoint::kAfterSeal,         CrashPoint::kNewIndexHalf,
    CrashPoint::kNewIndexWhole, CrashPoint::kNewIndexNamed,     CrashPoint::kAfterRename,
    CrashPoint::kAfterCreate,   CrashPoint::kOpenHalf,          CrashPoint::kAfterOpen,
    CrashPoint::kEndSeen,       CrashPoint::kBeforeEnd,         CrashPoint::kEndHalf,
    CrashPoint::kAfterEnd,      CrashPoint::kArchiveHalf,       CrashPoint::kArchiveWhole,
    CrashPoint::kArchiveNamed,  CrashPoint::kAfterRetire};

[[noreturn]] void die_in_step() { throw Death{}; }

}  // namespace

std::string points_never_met(const Tally& tally) {
  std::string names;
  const auto look = [&](CrashPoint point) {
    const auto at = static_cast<std::size_t>(point);
    if (tally.deaths_at[at] == 0) names += " " + std::string(kCrashPointNames[at]);
  };
  std::for_each(kPoints.begin(), kPoints.end(), look);
  std::for_each(kRecoveryPoints.begin(), kRecoveryPoints.end(), look);
  return names;
}

Simulation::Simulation(std::uint64_t seed, Tally& tally, bool verbose)
    : dice_(seed), tally_(tally), verbose_(verbose), checker_(home_.path()) {
  crash_points::on_death = &die_in_step;
  crash_points::armed = false;
  fs_.skip_real_syncs();
  plan();
}

Simulation::~Simulation() { crash_points::on_death = nullptr; }

void Simulation::say(const std::string& text) const {
  if (verbose_) std::cout << "  " << step_ << ": " << text << std::endl;
}

std::vector<std::string> Simulation::run() {
  start_daemon();
  for (; step_ < steps_ && !broken(); ++step_) step();
  if (!broken()) finish();
  tally_.steps += step_;
  return problems_;
}

// Whatever throws a Death has thrown it out of the daemon's own code.
void Simulation::step() {
  try {
    if (!daemon_ && dice_.one_in(2)) {
      const bool at_ring_end = armed_ == "ring_end_before_seek";
      if (deaths_ && dice_.one_in(2))
        arm(at_ring_end ? CrashPoint::kRecoverSeek : dice_.pick(kRecoveryPoints), 1);
      start_daemon();
    }
    const std::uint64_t what = dice_.below(100);
    if (what < 40)
      print(dice_.pick(slots_));
    else if (what < 84)
      daemon_step();
    else if (what < 90)
      close_run(dice_.pick(slots_));
    else if (what < 94)
      trouble();
    else if (what < 96)
      user();
    else
      plan_death();
    clock_.advance(std::chrono::microseconds(dice_.below(50'000)));
    if (dice_.one_in(40)) clock_.advance(std::chrono::seconds(dice_.below(2000)));
    if (clock_steps_ && dice_.one_in(20))
      clock_.step_wall(std::chrono::seconds(30) - std::chrono::seconds(dice_.below(60)));
    if (daemon_) drop_ended();
    if (daemon_) note_made_room();
    if (daemon_ && dice_.one_in(4)) check_held();
    if (dice_.one_in(120)) check(false);
  } catch (const Death&) {
    say("died at " + armed_);
    for (std::size_t i = 0; i < kCrashPointNames.size(); ++i)
      if (armed_ == kCrashPointNames[i]) ++tally_.deaths_at[i];
    kill_daemon();
  }
  if (daemon_ && !daemon_->problems.empty()) problems_ = daemon_->problems;
}

void Simulation::print(Slot& slot) {
  if (slot.now == nullptr || !slot.now->write_end) return begin_run(slot);
  HeldStream& held = *slot.now;
  if (flood_ && dice_.one_in(full_disk_ ? 1 : 3)) {
    const std::uint64_t much = dice_.below(400'000);
    while (held.printer.unwritten().size() < much) held.printer.print_line(true);
  } else if (held.printer.unwritten().size() < (64U << 10U)) {
    for (std::uint64_t lines = dice_.one_in(4) ? dice_.below(60) : dice_.below(4); lines > 0;
         --lines)
      held.printer.print_line(true);
  }
  write(held);
}

// As much as the pipe takes, or less: words come in pieces.
void Simulation::write(HeldStream& held) {
  std::string_view bytes = held.printer.unwritten();
  if (dice_.one_in(2)) bytes = bytes.substr(0, dice_.below(bytes.size() + 1));
  if (bytes.empty()) return;
  const auto written = sys::write(held.write_end.get(), bytes);
  if (written) held.printer.wrote(*written);
}

void Simulation::begin_run(Slot& slot) {
  if (!daemon_) return;  // Nobody to spawn it.
  // Two runs at once (the old one's grandchildren) only where their lines can be told apart.
  const bool alone = slot.style.tag.empty() || slot.style.longest_bytes > kMaxBatchBytes ||
                     (slot.now != nullptr && slot.now->shown_half) || dice_.one_in(2);
  if (slot.now != nullptr && slot.now->ring && (alone || dice_.one_in(2))) return;
  last_run_ += 2;
  PrintStyle style = slot.style;
  if (!style.tag.empty()) style.tag += std::to_string(last_run_) + ".";
  HeldStream& held = held_.emplace_back(HeldStream{
      {}, slot.worker, {last_run_}, Printer(style, dice_.next()), {}, {}, {}, false, false, {}});
  held.spec.id = stream_of(held.run, slot.kind);
  held.spec.kind = slot.kind;
  for (LogUnderTest* log : slot.logs) {
    held.spec.logs.push_back(log->spec);
    log->feeders.push_back(&held);
    const LogId id = log_id_of(log->spec.path);
    if (!intents_.contains(id)) intents_[id] = sys::memfd("intent", rotate::kIntentBytes).value();
  }
  sys::Pipe pipe = sys::pipe().value();
  PMX_CHECK(sys::set_nonblocking(pipe.write_end.get(), true));
  sys::set_pipe_size(pipe.write_end.get(),
                     4096U << (flood_ ? dice_.between(5, 8) : dice_.below(8)));
  held.write_end = std::move(pipe.write_end);
  held.pipe = std::move(pipe.read_end);
  held.ring = capture::Ring::make().value();
  slot.now = &held;
  say("run " + std::to_string(last_run_));
  daemon_->begin(held, intents_, true);
}

void Simulation::close_run(Slot& slot) {
  if (slot.now == nullptr || !slot.now->write_end) return;
  if (slot.now->printer.unwritten().empty() && dice_.one_in(2)) {
    slot.now->printer.print_line(false);
    write(*slot.now);
  }
  say("run " + std::to_string(slot.now->run.value) + " ends");
  slot.now->write_end.reset();
}

bool Simulation::is_alone(HeldStream& held) {
  held.shown_half = true;
  return std::none_of(held_.begin(), held_.end(), [&](const HeldStream& other) {
    return &other != &held && other.ring && other.worker == held.worker &&
           other.spec.kind == held.spec.kind;
  });
}

void Simulation::daemon_step() {
  if (!daemon_) return;
  std::vector<HeldStream*> live;
  for (HeldStream& held : held_)
    if (held.ring) live.push_back(&held);
  if (live.empty()) return;
  HeldStream& held = *dice_.pick(live);
  const std::vector<Log*> logs = daemon_->logs();
  Log& log = *dice_.pick(logs);
  switch (dice_.below(16)) {
    case 0:
      // Half a line of a run that goes on beside the next one may be shown, and be torn by it.
      return is_alone(held) ? daemon_->quiet(held) : void();
    case 1:
      return pack(log);
    case 2:
      if (dice_.one_in(2)) return daemon_->look(log);
      // In the middle of a line only a user's command seals: retention takes half of it then.
      return log.writer().index().mid_line() ? void() : daemon_->rotate(log);
    case 3:
      return daemon_->sync(log);
    case 4:
    case 5:
      return daemon_->commit(log);
    case 6:
    case 7:
    case 8:
      return commit_all();
    case 9:
    case 10:
      for (HeldStream* one : live) daemon_->drain(*one, Daemon::Drain::kTurn);
      return commit_all();
    case 11:
      return daemon_->drain(held, Daemon::Drain::kOneSplice);
    default:
      return daemon_->drain(held, Daemon::Drain::kTurn);
  }
}

// A full disk takes a log's own oldest archives first.
void Simulation::note_made_room() {
  for (LogUnderTest& log : logs_) {
    log.retires = log.retires || daemon_->made_room.contains(log.spec.path);
    log.some_stay = log.retires && disk_troubles_;
  }
}

void Simulation::commit_all() {
  for (Log* log : daemon_->logs()) daemon_->commit(*log);
}

// The keeper drops what all logs have to the end; the daemon tells it, and may die in between.
void Simulation::drop_ended() {
  for (HeldStream& held : held_) {
    if (!held.ring || !daemon_->ended(held) || dice_.one_in(4)) continue;
    if (held.printer.written() !=
        held.printer.dropped() + daemon_->stream(held.spec.id)->ring->head())
      problems_.push_back("stream " + std::to_string(held.spec.id.value) + " ended before its end");
    held.pipe.reset();
    held.ring.reset();
    daemon_->release(held);
  }
}

void Simulation::start_daemon() {
  if (daemon_ && !daemon_->problems.empty()) return;
  say("daemon starts");
  daemon_ = std::make_unique<Daemon>(home_.path(), fs_, clock_);
  daemon_->say = [this](const std::string& text) { say(text); };
  for (HeldStream& held : held_)
    if (held.ring) daemon_->begin(held, intents_, false);
  if (dice_.one_in(2)) commit_all();
}

void Simulation::kill_daemon() {
  if (!daemon_) return;
  note_made_room();
  ++tally_.deaths;
  tally_.faults_met += daemon_->faults_met;
  for (const std::string& problem : daemon_->problems) problems_.push_back(problem);
  daemon_.reset();
}

// Rings and intents are gone, and the workers' pipes are broken.
void Simulation::kill_both() {
  ++tally_.double_deaths;
  const bool power_cut = power_cuts_ && dice_.one_in(2);
  say(power_cut ? "power cut" : "both die");
  for (HeldStream& held : held_) {
    if (!held.ring) continue;
    held.lost = true;
    for (const LogSpec& spec : held.spec.logs) {
      Log* const log = daemon_ ? daemon_->log(spec.path) : nullptr;
      supervisor::Stream* const stream = daemon_ ? daemon_->stream(held.spec.id) : nullptr;
      const bool kept = log != nullptr && stream != nullptr && log->writer().loaded() &&
                        (!power_cut || spec.sync.mode == SyncPolicy::Mode::kBatch);
      held.recorded_at_loss[spec.path] = kept ? log->writer().tail(held.spec.id) : 0;
    }
    held.write_end.reset();
    held.pipe.reset();
    held.ring.reset();
  }
  kill_daemon();
  intents_.clear();
  if (!power_cut) return;
  for (LogUnderTest& log : logs_) {
    follow_seals(log, home_.path(), real_fs_);
    ++log.power_cuts;
  }
  fs_.lose_unsynced();
}

void Simulation::plan_death() {
  if (!deaths_) return;
  switch (dice_.below(8)) {
    case 0:
      if (double_deaths_) return kill_both();
      [[fallthrough]];
    case 1:
      say("daemon dies between steps");
      return kill_daemon();
    case 2:
      armed_ = "a byte of a write";
      return fs_.die_after(dice_.below(dice_.one_in(2) ? 300 : 200'000), die_in_step);
    default:
      if (flood_ && dice_.one_in(3)) return arm(CrashPoint::kRingEndBeforeSeek, 1);
      return arm(dice_.pick(kPoints), dice_.between(1, 3));
  }
}

void Simulation::arm(CrashPoint point, std::uint64_t pass) {
  armed_ = kCrashPointNames[static_cast<std::size_t>(point)];
  crash_points::arm(armed_ + ":" + std::to_string(pass), 0);
}

void Simulation::trouble() {
  if (!disk_troubles_) return;
  constexpr std::array kCalls{
      FaultFs::Call::kOpen,     FaultFs::Call::kRead,   FaultFs::Call::kWrite,
      FaultFs::Call::kTruncate, FaultFs::Call::kSync,   FaultFs::Call::kInfo,
      FaultFs::Call::kRename,   FaultFs::Call::kRemove, FaultFs::Call::kList};
  constexpr std::array kErrors{EIO, ENOSPC, EMFILE, EACCES};
  if (full_disk_ && dice_.one_in(2)) return fs_.full_after(0);  // Until what workers print is lost.
  switch (dice_.below(full_disk_ ? 12 : 6)) {
    case 0:
      return fs_.full_after(dice_.below(100'000));
    case 1:
      return fs_.short_writes(dice_.between(1, 5000));
    case 2:
      return fs_.short_reads(dice_.between(64, 5000));
    case 3:
      return fs_.fail(dice_.pick(kCalls), dice_.one_in(2) ? "/logs/" : "", dice_.pick(kErrors),
                      static_cast<int>(dice_.between(1, 4)));
    case 4:
    case 5:
      return fs_.heal();
    default:
      return;
  }
}

void Simulation::user() {
  if (!user_acts_ || !daemon_) return;
  std::vector<LogUnderTest*> settled;
  for (LogUnderTest& log : logs_) {
    Log* const found = daemon_->log(log.spec.path);
    if (found != nullptr && daemon_->is_settled(*found)) settled.push_back(&log);
  }
  if (settled.empty()) return;
  LogUnderTest& log = *dice_.pick(settled);
  const auto act = static_cast<UserAct>(dice_.below(4));
  const std::uint64_t segment = daemon_->log(log.spec.path)->writer().index().segment();
  if (!act_as_user(log, act, segment, real_fs_)) return;
  ++tally_.user_acts;
  say("user act " + std::to_string(static_cast<int>(act)) + " on " + log.spec.path);
}

void Simulation::pack(Log& log) {
  const auto under_test = std::find_if(logs_.begin(), logs_.end(), [&](const LogUnderTest& one) {
    return one.spec.path == log.spec().path;
  });
  follow_seals(*under_test, home_.path(), real_fs_);
  const std::uint64_t faults = daemon_->faults_met;
  while (daemon_->pack(log)) ++tally_.packed;
  if (daemon_->faults_met == faults) check_bounds(*under_test);
}

void Simulation::check_bounds(const LogUnderTest& log) {
  const auto sealed = log.dir(home_.path()).sealed_files(real_fs_);
  if (!sealed) return problems_.push_back(sealed.error().message());
  std::uint64_t bytes = 0;
  for (const rotate::SealedFile& file : *sealed) bytes += file.info.size_bytes;
  const RotatePolicy& policy = log.spec.rotate;
  if (policy.retain != 0 && sealed->size() > policy.retain)
    problems_.push_back(log.spec.path + ": more sealed files than `retain`");
  if (policy.max_total_size_bytes != 0 && bytes > policy.max_total_size_bytes)
    problems_.push_back(log.spec.path + ": more bytes than `max_total_size`");
}

// captured = recorded + waiting + dropped: no byte of a living stream is anywhere else.
void Simulation::check_held() {
  for (HeldStream& held : held_) {
    supervisor::Stream* const stream = held.ring ? daemon_->stream(held.spec.id) : nullptr;
    if (stream == nullptr || !stream->ring) continue;
    const auto waiting = sys::pipe_bytes_waiting(held.pipe.get());
    const std::uint64_t found = stream->ring->head() + waiting.value() + held.printer.dropped();
    if (found != held.printer.written())
      problems_.push_back("stream " + std::to_string(held.spec.id.value) + " printed " +
                          std::to_string(held.printer.written()) + " bytes, of which " +
                          std::to_string(found) + " are known of");
  }
}

void Simulation::check(bool all_told) {
  ++tally_.checks;
  if (daemon_) note_made_room();
  for (LogUnderTest& log : logs_) {
    if (log.feeders.empty()) continue;
    Log* const found = daemon_ ? daemon_->log(log.spec.path) : nullptr;
    const auto tail = [&](const HeldStream& held) -> std::optional<std::uint64_t> {
      if (found == nullptr || !daemon_->is_settled(*found) || !held.ring) return std::nullopt;
      return found->writer().tail(held.spec.id);
    };
    checker_.check(log, tail, all_told);
  }
  problems_.insert(problems_.end(), checker_.problems.begin(), checker_.problems.end());
}

// Everything heals, everybody ends, everything is recorded: then every line must be there.
void Simulation::finish() {
  say("the end begins");
  fs_.heal();
  crash_points::armed = false;
  if (!daemon_) start_daemon();
  for (Slot& slot : slots_) close_run(slot);
  for (int round = 0; round < 1000; ++round) {
    clock_.advance(std::chrono::seconds(1));
    bool waits = false;
    for (HeldStream& held : held_) {
      if (!held.ring) continue;
      waits = true;
      daemon_->drain(held, Daemon::Drain::kTurn);
    }
    commit_all();
    drop_ended();
    if (!waits) break;
  }
  for (const HeldStream& held : held_) {
    tally_.bytes += held.printer.written();
    tally_.dropped_bytes += held.printer.dropped();
    if (held.ring)
      problems_.push_back("stream " + std::to_string(held.spec.id.value) + " never ended");
  }
  for (Log* log : daemon_->logs()) {
    if (log->trouble()) problems_.push_back("still in trouble: " + log->trouble()->error.message());
    tally_.lines += log->writer().index().next_seq();
  }
  check(true);
  for (Log* log : daemon_->logs()) pack(*log);
  check(true);
  tally_.faults_met += daemon_->faults_met;
}

}  // namespace pmx::sim
