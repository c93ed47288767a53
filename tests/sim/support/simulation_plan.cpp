// What a seed decides before the first step.
#include <algorithm>
#include <array>

#include "sim/support/line_match.h"
#include "sim/support/simulation.h"

namespace pmx::sim {

LogSpec Simulation::settings(const std::string& name, bool merged) {
  LogSpec spec;
  spec.path = home_ / ("logs/" + name + ".log");
  spec.merged = merged;
  constexpr std::array kKinds{RenderSpec::Kind::kRaw, RenderSpec::Kind::kRaw,
                              RenderSpec::Kind::kDate, RenderSpec::Kind::kJson};
  spec.render.kind = dice_.pick(kKinds);
  if (spec.render.kind == RenderSpec::Kind::kDate)
    spec.render.date_format = "YYYY-MM-DD HH:mm:ss.SSS";
  spec.render.app_name = "a \"quoted\" app";
  constexpr std::array<std::uint64_t, 5> kSizes{4U << 10U, 32U << 10U, 128U << 10U, 512U << 10U, 0};
  spec.rotate.max_size_bytes = dice_.pick(kSizes);
  spec.rotate.retain = 0;
  constexpr std::array kCompressions{Compression::kNone, Compression::kGzip, Compression::kZstd};
  spec.rotate.compress = dice_.pick(kCompressions);
  spec.rotate.level = 1;
  if (dice_.one_in(5)) spec.rotate.every = "hour";
  constexpr std::array kSyncs{SyncPolicy::Mode::kSeal, SyncPolicy::Mode::kInterval,
                              SyncPolicy::Mode::kBatch};
  spec.sync.mode = dice_.pick(kSyncs);
  spec.when_full = dice_.one_in(2) ? WhenFull::kDrop : WhenFull::kBlock;
  return spec;
}

LogUnderTest& Simulation::plan_log(const std::string& name, bool merged) {
  LogUnderTest& log = logs_.emplace_back();
  log.spec = settings(name, merged);
  log.numbered = merged || user_acts_ || double_deaths_ || disk_troubles_ || dice_.one_in(2);
  if (log.numbered && dice_.one_in(5)) {
    log.retires = true;
    if (dice_.one_in(2))
      log.spec.rotate.retain = static_cast<std::uint32_t>(dice_.between(1, 4));
    else
      log.spec.rotate.max_total_size_bytes = dice_.between(64U << 10U, 256U << 10U);
  }
  return log;
}

void Simulation::plan() {
  deaths_ = !dice_.one_in(8);
  double_deaths_ = deaths_ && dice_.one_in(4);
  power_cuts_ = double_deaths_ && dice_.one_in(3);
  disk_troubles_ = dice_.one_in(2);
  full_disk_ = disk_troubles_ && dice_.one_in(4);
  // Numbers of segments may come again after a power cut, and what a user took has no order then.
  user_acts_ = dice_.one_in(4) && !power_cuts_;
  clock_steps_ = dice_.one_in(6);
  flood_ = full_disk_ || dice_.one_in(5);
  steps_ = dice_.between(60, 260) + (flood_ ? 100 : 0);
  LogUnderTest* const shared = dice_.one_in(2) ? &plan_log("shared", true) : nullptr;
  LogUnderTest* const combined = dice_.one_in(3) ? &plan_log("combined", true) : nullptr;
  const std::uint64_t workers = full_disk_ ? 1 : dice_.between(1, 3);
  for (std::uint32_t worker = 0; worker < workers; ++worker) {
    const std::string name = "worker-" + std::to_string(worker);
    for (const StreamKind kind : {StreamKind::kOut, StreamKind::kErr}) {
      if (kind == StreamKind::kErr && dice_.one_in(2)) continue;
      Slot slot{{worker}, kind, {}, {}};
      if (shared == nullptr || dice_.one_in(2))
        slot.logs.push_back(&plan_log(name + "-" + std::string(name_of(kind)), false));
      else
        slot.logs.push_back(shared);
      if (combined != nullptr && dice_.one_in(2)) slot.logs.push_back(combined);
      style(slot);
      slots_.push_back(std::move(slot));
    }
  }
  plan_redaction();
}

// Chance of its own, so that a seed's plan is else what it was before there was redaction.
void Simulation::plan_redaction() {
  Dice dice = dice_;
  for (LogUnderTest& log : logs_)
    if (dice.one_in(4)) log.spec.render.redact.patterns = {std::string(1, kSecret)};
  // Where a line is in pieces, each a line of its own, they end where no secret is cut.
  for (Slot& slot : slots_)
    if (std::any_of(slot.logs.begin(), slot.logs.end(), [](const LogUnderTest* log) {
          return log->spec.merged && log->spec.render.redact.any();
        }))
      slot.style.longest_bytes = PrintStyle().longest_bytes;
}

// What a worker may print so that what is found can be told from everything else.
void Simulation::style(Slot& slot) {
  const auto any = [&](auto is) { return std::any_of(slot.logs.begin(), slot.logs.end(), is); };
  if (any([](const LogUnderTest* log) { return log->numbered; })) {
    slot.style.tag = std::string(1, static_cast<char>('a' + slots_.size()));
    for (LogUnderTest* log : slot.logs) log->numbered = true;
  }
  const bool json =
      any([](const LogUnderTest* log) { return log->spec.render.kind == RenderSpec::Kind::kJson; });
  const bool raw =
      !any([](const LogUnderTest* log) { return log->spec.render.kind != RenderSpec::Kind::kRaw; });
  slot.style.any_byte = !json && dice_.one_in(2);
  // Half of a longer one may be left of a text with a date or of JSON when keeper and daemon die.
  if (dice_.one_in(5) && (raw || !double_deaths_)) slot.style.longest_bytes = 800'000;
}

std::string Simulation::plan_text() const {
  std::string text = std::to_string(steps_) + " steps;";
  for (const auto& [on, name] :
       {std::pair(deaths_, " deaths"), std::pair(double_deaths_, " double deaths"),
        std::pair(power_cuts_, " power cuts"), std::pair(disk_troubles_, " disk troubles"),
        std::pair(user_acts_, " user"), std::pair(clock_steps_, " clock steps"),
        std::pair(flood_, " flood"), std::pair(full_disk_, " full disk")})
    if (on) text += name;
  for (const Slot& slot : slots_) {
    text += "\n  worker " + std::to_string(slot.worker.value) + " " +
            std::string(name_of(slot.kind)) + " \"" + slot.style.tag + "\" up to " +
            std::to_string(slot.style.longest_bytes) + " bytes ->";
    for (const LogUnderTest* log : slot.logs) {
      const LogSpec& s = log->spec;
      text += " [" + s.path.substr(s.path.rfind('/') + 1) + (s.merged ? " merged" : "") +
              " render " + std::to_string(static_cast<int>(s.render.kind)) +
              (s.render.redact.any() ? " redacts" : "") + " max_size " +
              std::to_string(s.rotate.max_size_bytes) + " compress " +
              std::to_string(static_cast<int>(s.rotate.compress)) + " sync " +
              std::to_string(static_cast<int>(s.sync.mode)) + (log->retires ? " retires" : "") +
              "]";
    }
  }
  return text;
}

}  // namespace pmx::sim
