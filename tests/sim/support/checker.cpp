#include "sim/support/checker.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/json.h"
#include "base/time_text.h"
#include "rotate/log_reader.h"
#include "rotate/segment_reader.h"
#include "sim/support/line_match.h"

namespace pmx::sim {

using rotate::Record;
using rotate::RecordType;
namespace flags = rotate::flags;

void Checker::problem(const LogUnderTest& log, const std::string& text) {
  problems.push_back(log.spec.path.substr(log.spec.path.rfind('/') + 1) + ": " + text);
}

void Checker::check(LogUnderTest& log, const Tail& tail, bool all_told) {
  check_records(log);
  check_reader(log, tail, all_told);
  check_text(log, tail, all_told);
}

struct Checker::Chain {
  std::map<StreamId, std::uint64_t> raw_end;
  std::uint64_t next_seq = 0;
  std::int64_t last_time_ns = std::numeric_limits<std::int64_t>::min();
  bool gap = false;  // The segment in front is gone: numbers begin anywhere.
};

void Checker::check_records(const LogUnderTest& log) {
  const auto dir = log.dir(home_);
  const auto indexes = dir.index_segments(fs_);
  const auto sealed = dir.sealed_files(fs_);
  if (!indexes || !sealed) return problem(log, "cannot be listed");
  std::set<std::uint64_t> segments(indexes->begin(), indexes->end());
  for (const rotate::SealedFile& file : *sealed) segments.insert(file.name.segment);
  Chain chain;
  chain.gap = false;
  std::uint64_t last = 0;
  for (const std::uint64_t segment : segments) {
    if (segment != last + 1) {
      if (!log.retires && log.user_acts == 0 && log.power_cuts == 0)
        problem(log, "segment " + std::to_string(last + 1) + " is missing");
      chain.gap = true;
    }
    check_segment(log, segment, chain);
    last = segment;
  }
}

void Checker::check_segment(const LogUnderTest& log, std::uint64_t segment, Chain& chain) {
  const auto dir = log.dir(home_);
  const auto opened = rotate::SegmentReader::open(fs_, dir, segment);
  const bool may_lack = log.user_acts > 0 || log.power_cuts > 0 || log.some_stay;
  const auto bad = [&](std::uint64_t at, const std::string& text) {
    problem(log,
            "segment " + std::to_string(segment) + " record " + std::to_string(at) + ": " + text);
  };
  if (!opened) {
    if (!may_lack && !log.retires) bad(0, opened.error().message());
    chain.gap = true;
    return;
  }
  rotate::SegmentReader& reader = **opened;
  if (reader.framed()) chain.gap = true;
  for (std::uint64_t at = 0; at < reader.records() && !reader.framed(); ++at) {
    const auto read = reader.record(at);
    if (!read) return bad(at, read.error().message());
    const Record& r = *read;
    const StreamId stream = reader.source_of(r, at).stream;
    switch (r.record_type()) {
      case RecordType::kHead:
        if (r.has(flags::kUnclean) || log.power_cuts > 0) chain.gap = true;
        if (chain.gap ? r.seq < chain.next_seq && log.power_cuts == 0 : r.seq != chain.next_seq)
          bad(at, "lines go on at " + std::to_string(r.seq) + " after " +
                      std::to_string(chain.next_seq));
        chain.next_seq = r.seq;
        if (chain.gap)
          chain.last_time_ns = r.time_ns;  // The clock may have stepped in what is gone.
        break;
      case RecordType::kStream:
        if (!chain.gap && chain.raw_end[{r.seq}] != r.raw_end)
          bad(at, "stream goes on at " + std::to_string(r.raw_end) + " after " +
                      std::to_string(chain.raw_end[{r.seq}]));
        chain.raw_end[{r.seq}] = r.raw_end;
        break;
      case RecordType::kDropped:
        chain.next_seq = r.seq + r.raw_end;
        break;
      case RecordType::kEnd:
        if (chain.raw_end[stream] != r.raw_end) bad(at, "END is not at the stream's end");
        break;
      case RecordType::kData: {
        if (r.seq != chain.next_seq) bad(at, "its number is not the next one");
        if (r.time_ns <= chain.last_time_ns && !r.has(flags::kClockStep))
          bad(at, "time goes back from " + iso_time(chain.last_time_ns) + " to " +
                      iso_time(r.time_ns) + ", flags " + std::to_string(r.flags));
        if (!r.has(flags::kRecovered)) {
          if (r.raw_end - r.raw_len != chain.raw_end[stream])
            bad(at, "a gap or overlap of its stream");
          chain.raw_end[stream] = r.raw_end;
        }
        chain.next_seq = r.seq + r.lines;
        chain.last_time_ns = r.time_ns + std::max<int>(r.lines, 1) - 1;
        const auto text = reader.text(r);
        if (!text && !may_lack) bad(at, text.error().message());
        if (text && (text->size() != r.file_len || rotate::data_sum(*text) != r.data_sum))
          bad(at, "its sum is not that of its bytes");
        break;
      }
      default:
        break;
    }
  }
  chain.gap = false;
}

namespace {

// What must have been seen of each stream, whoever has looked.
std::string missing(const LogUnderTest& log, const LineMatch& match, const Checker::Tail& tail,
                    bool all_told, bool may_lack) {
  for (std::size_t i = 0; i < log.feeders.size(); ++i) {
    const HeldStream& held = *log.feeders[i];
    const std::string name = "stream " + std::to_string(held.spec.id.value) + ": ";
    std::size_t least = 0, most = match.lines(i);
    if (held.lost) {
      least = match.lines_before(i, held.recorded_at_loss.at(log.spec.path));
    } else if (all_told) {
      least = most;
    } else if (const auto recorded = tail(held)) {
      least = match.lines_before(i, *recorded);
      most = match.lines_before(i, *recorded + 1);  // A line that is shown but for its newline.
    }
    // By retention a stream goes from its start: from the first line that is there none is missing,
    // but where a user has taken older text away.
    const bool retired = log.retires && (match.seen(i) == 0 || log.user_acts > 0 || log.some_stay);
    if (match.seen(i) < least && !may_lack && !retired)
      return name + "line " + std::to_string(match.seen(i)) + " is missing, of " +
             std::to_string(least) + " that were recorded" + match.expected();
    if (match.seen(i) > most) return name + "a line that is not recorded was found";
  }
  return "";
}

}  // namespace

void Checker::check_reader(const LogUnderTest& log, const Tail& tail, bool all_told) {
  using Gaps = LineMatch::Options::Gaps;
  const bool synced = log.spec.sync.mode == SyncPolicy::Mode::kBatch;
  const bool may_lack = log.user_acts > 0 || log.some_stay || (log.power_cuts > 0 && !synced);
  LineMatch match(log,
                  {.in_pieces = log.spec.merged && log.spec.render.kind != RenderSpec::Kind::kRaw,
                   .joined = true,
                   .gaps = may_lack      ? Gaps::kAnywhere
                           : log.retires ? Gaps::kAtTheStart
                                         : Gaps::kNone});
  rotate::LogReader reader(fs_, log.dir(home_));
  reader.seek_start();
  const auto take = [&](const rotate::LogLine& line, bool unfinished) {
    if (line.dropped_notice) return true;
    const bool known = line.worker != rotate::kUnknownWorker;
    if (match.take(decoded(line.text, log.spec.render), line.has_newline,
                   known ? &line.worker : nullptr, line.kind))
      return true;
    if (unfinished && !all_told) return true;  // Half a line: its rest will come.
    problem(log, "the reader gives line " + std::to_string(line.seq) + " of worker " +
                     std::to_string(line.worker.value) + ", " + std::to_string(line.text.size()) +
                     " bytes: " + Json(line.text.substr(0, 80)).dump() + match.expected());
    return false;
  };
  while (const auto line = reader.next())
    if (!take(*line, false)) return;
  while (const auto line = reader.next_unfinished())
    if (!take(*line, true)) return;
  for (const std::string& warning : reader.take_warnings())
    if (!may_lack && log.power_cuts == 0) problem(log, "the reader warns: " + warning);
  const std::string lack = missing(log, match, tail, all_told, may_lack);
  if (!lack.empty()) problem(log, "by the reader, " + lack);
}

void Checker::check_text(LogUnderTest& log, const Tail& tail, bool all_told) {
  using Gaps = LineMatch::Options::Gaps;
  const bool raw = log.spec.render.kind == RenderSpec::Kind::kRaw;
  const bool synced = log.spec.sync.mode == SyncPolicy::Mode::kBatch;
  const bool may_lack = (log.power_cuts > 0 && (!synced || log.user_acts > 0)) ||
                        (log.retires && (log.user_acts > 0 || log.some_stay));
  LineMatch match(log, {.in_pieces = log.spec.merged,
                        .glued = raw && !log.spec.merged,
                        .gaps = may_lack      ? Gaps::kAnywhere
                                : log.retires ? Gaps::kAtTheStart
                                              : Gaps::kNone});
  const std::string text = all_text(log, home_, fs_);
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t newline = rest.find('\n');
    const bool has_newline = newline != std::string_view::npos;
    const std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(has_newline ? newline + 1 : rest.size());
    if (line.starts_with("[pmx] ")) continue;
    if (match.take(decoded(line, log.spec.render), has_newline)) continue;
    if (!has_newline && !all_told) break;  // Half a line that was shown: its rest will come.
    return problem(
        log, "the files have a line of " + std::to_string(line.size()) + " bytes at " +
                 std::to_string(line.data() - text.data()) + " of " + std::to_string(text.size()) +
                 ": " + Json(line.substr(0, 80)).dump() + " to " +
                 Json(line.substr(line.size() - std::min<std::size_t>(line.size(), 60))).dump() +
                 match.expected());
  }
  const std::string lack = missing(log, match, tail, all_told, may_lack);
  if (!lack.empty()) problem(log, "by the files' bytes, " + lack);
}

}  // namespace pmx::sim
