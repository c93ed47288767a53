#include "sim/support/line_match.h"

#include <algorithm>

#include "base/json.h"

namespace pmx::sim {
namespace {

constexpr std::uint64_t kMergedPieceBytes = 256U << 10U;

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<long>(most), b.begin()).first - a.begin());
}

}  // namespace

LineMatch::LineMatch(const LogUnderTest& log, Options options)
    : options_(options), one_by_one_(!log.numbered) {
  for (const HeldStream* held : log.feeders)
    feeders_.push_back({held, held->printer.lines(options.in_pieces ? kMergedPieceBytes : 0)});
}

bool LineMatch::take_next(Feeder& feeder, std::string_view text, bool has_newline, Part part) {
  if (feeder.over || feeder.next == feeder.lines.size()) return false;
  const ExpectedLine& line = feeder.lines[feeder.next];
  // The newline is another run's, which began with it.
  if (options_.glued && has_newline && !line.has_newline) return false;
  if (part == Part::kWhole && std::string_view(line.text).substr(feeder.half_bytes) == text) {
    ++feeder.next;
    feeder.half_bytes = 0;
    return true;
  }
  // Its rest was in a ring that is lost, or comes in a recovered record.
  if (part == Part::kHalf && feeder.held->lost && feeder.half_bytes == 0 &&
      line.text.starts_with(text)) {
    feeder.half_bytes = text.size();
    return true;
  }
  return false;
}

bool LineMatch::take(std::string_view text, bool has_newline, const WorkerId* worker,
                     StreamKind kind) {
  const auto is_of = [&](const Feeder& feeder) {
    return worker == nullptr || (feeder.held->worker == *worker && feeder.held->spec.kind == kind);
  };
  for (const Part part : {Part::kWhole, Part::kHalf}) {
    if (part == Part::kHalf && has_newline) break;
    for (std::size_t i = 0; i < feeders_.size(); ++i) {
      const std::size_t at = one_by_one_ ? i : (latest_ + i) % feeders_.size();
      // Short lines are alike: where runs come one by one, only the first that is not through can
      // be.
      if (one_by_one_ && i > 0 && feeders_[i - 1].next < feeders_[i - 1].lines.size()) break;
      if (!is_of(feeders_[at]) || !take_next(feeders_[at], text, has_newline, part)) continue;
      latest_ = at;
      return true;
    }
  }
  if (take_later(text, worker, kind)) return true;
  return options_.glued && take_glued(text, has_newline);
}

bool LineMatch::take_glued(std::string_view text, bool has_newline) {
  for (const Part part : {Part::kWhole, Part::kHalf})  // Last words that are all there come first.
    for (Feeder& feeder : feeders_)
      if (take_front(feeder, text, has_newline, part)) return true;
  return false;
}

bool LineMatch::take_front(Feeder& feeder, std::string_view text, bool has_newline, Part part) {
  if (feeder.over || feeder.next == feeder.lines.size()) return false;
  const std::size_t next = feeder.next;
  const bool may_skip = options_.gaps == Options::Gaps::kAnywhere ||
                        (options_.gaps == Options::Gaps::kAtTheStart && next == 0);
  const auto take_rest = [&](std::size_t from) {
    const std::string_view rest = text.substr(from);
    if (rest.starts_with("[pmx] ")) return true;  // That lines were dropped.
    return (rest.empty() && !has_newline) || take(rest, has_newline);
  };
  if (part == Part::kWhole) {
    // What was in front of the last words may be gone.
    const ExpectedLine& last = feeder.lines.back();
    const bool is_next = next + 1 == feeder.lines.size() ||
                         options_.gaps == Options::Gaps::kAnywhere ||
                         (options_.gaps == Options::Gaps::kAtTheStart && next == 0);
    if (!is_next || last.has_newline || !text.starts_with(last.text)) return false;
    feeder.next = feeder.lines.size();
    if (take_rest(last.text.size())) return true;
    feeder.next = next;
    return false;
  }
  if (!feeder.held->lost) return false;
  // Where the lost line ends and the next begins: their bytes may be alike for a few.
  constexpr std::size_t kAlike = 8;
  std::size_t common = common_prefix(text, feeder.lines[next].text);
  for (std::size_t later = next + 1; may_skip && later < feeder.lines.size(); ++later)
    common = std::max(common, common_prefix(text, feeder.lines[later].text));
  for (std::size_t half = common; half > 0 && half + kAlike > common; --half) {
    feeder.over = true;
    if (take_rest(half)) return true;
    feeder.over = false;
  }
  return false;
}

// Lines before it are gone with the file that had them.
bool LineMatch::take_later(std::string_view text, const WorkerId* worker, StreamKind kind) {
  using Gaps = Options::Gaps;
  if (options_.gaps == Gaps::kNone) return false;
  for (std::size_t at = 0; at < feeders_.size(); ++at) {
    Feeder& feeder = feeders_[at];
    if (worker != nullptr && !(feeder.held->worker == *worker && feeder.held->spec.kind == kind))
      continue;
    if (options_.gaps == Gaps::kAtTheStart && feeder.next != 0) continue;
    for (std::size_t next = feeder.next; next < feeder.lines.size(); ++next) {
      const std::string_view line = feeder.lines[next].text;
      if (line != text) {  // Of a line in pieces some may be gone.
        constexpr std::size_t kTelling = 16;
        const bool is_end = line.ends_with(text);
        if (!options_.joined || text.empty() || !(is_end || line.starts_with(text))) continue;
        if (!is_end || text.size() < kTelling) return true;
      }
      feeder.next = next + 1;
      feeder.half_bytes = 0;
      latest_ = at;
      return true;
    }
  }
  return false;
}

std::size_t LineMatch::lines_before(std::size_t feeder, std::uint64_t position) const {
  const auto& lines = feeders_[feeder].lines;
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(),
                    [position](const ExpectedLine& line) { return line.end <= position; }));
}

std::string LineMatch::expected() const {
  std::string all;
  for (const Feeder& feeder : feeders_) {
    all += "\n    stream " + std::to_string(feeder.held->spec.id.value) + " line " +
           std::to_string(feeder.next) + " of " + std::to_string(feeder.lines.size());
    if (feeder.next < feeder.lines.size())
      all += ": " + std::to_string(feeder.lines[feeder.next].text.size()) + " bytes " +
             Json(feeder.lines[feeder.next].text.substr(0, 60)).dump();
  }
  return all;
}

namespace {

std::string decoded(std::string_view text, RenderSpec::Kind kind) {
  if (kind == RenderSpec::Kind::kDate) {
    const std::size_t end = text.find(": ");
    return end == std::string_view::npos ? "(no date)" : std::string(text.substr(end + 2));
  }
  if (kind != RenderSpec::Kind::kJson) return std::string(text);
  const auto json = Json::parse(text);
  return json ? (*json)["message"].as_string() : "(no JSON)";
}

}  // namespace

std::string decoded(std::string_view text, const RenderSpec& render) {
  std::string line = decoded(text, render.kind);
  if (!render.redact.any()) return line;
  // That lines were dropped may stand behind half a line; it has a time in it.
  if (line.substr(0, line.find("[pmx] ")).find(kSecret) != std::string::npos) return "(a secret)";
  constexpr std::string_view kMark = "[redacted]";
  for (std::size_t at = line.find(kMark); at != std::string::npos; at = line.find(kMark, at))
    line.replace(at, kMark.size(), 1, kSecret);
  return line;
}

}  // namespace pmx::sim
