#include "ship/batcher.h"

#include <algorithm>

namespace pmx::ship {
namespace {

// A line has its time before it can be read in the log: the one that goes on with an open stack
// trace may be kQuietNs younger, and not be there yet.
constexpr std::int64_t kRecordedWithinNs = 100'000'000;
constexpr std::int64_t kClosedAfterNs = MultilineJoiner::kQuietNs + kRecordedWithinNs;
constexpr std::size_t kReadableBehind = 64;

}  // namespace

void Batcher::add_source(Fs& files, rotate::LogDir dir, Origin origin) {
  Source& source = *sources_.emplace_back(std::make_unique<Source>());
  source.origin = std::move(origin);
  source.log = std::make_unique<LogSource>(
      files, std::move(dir), LogSource::Options{.multiline = parts_.multiline},
      [this, &source](const MultilineJoiner::Line& line) { take(source, line); });
  by_path_[source.log->path()] = &source;
}

void Batcher::drop_source(const std::string& path) {
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  const Source* const gone = found->second;
  by_path_.erase(found);
  std::erase_if(sources_, [gone](const auto& source) { return source.get() == gone; });
}

const Origin* Batcher::origin_of(LogId log) const {
  const auto found = std::find_if(sources_.begin(), sources_.end(),
                                  [&](const auto& source) { return source->origin.log == log; });
  return found == sources_.end() ? nullptr : &(*found)->origin;
}

void Batcher::seek(const LaneCursor& cursor) {
  for (const auto& source : sources_) {
    const auto at = cursor.find(source->log->path());
    source->log->seek(at == cursor.end() ? std::nullopt : std::optional(at->second),
                      LogSource::Begin::kOldest);
    wake(*source);
  }
}

bool Batcher::step_back(const LaneCursor& cursor) {
  bool lines = false;
  for (const auto& source : sources_) {
    if (source->asleep && source->log->at_rest()) continue;
    lines = lines || source->log->oldest_open_time();
    seek_source(source->log->path(), cursor.at(source->log->path()));
  }
  return lines;
}

void Batcher::seek_source(const std::string& path, const LogCursor& cursor) {
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return;
  found->second->log->seek(cursor, LogSource::Begin::kOldest);
  wake(*found->second);
}

// It looks at the directory anew: what a seek has seen of it may be old when it is read, and nobody
// tells of what has come in between.
void Batcher::wake(Source& source) {
  source.asleep = false;
  source.log->directory_changed();
}

std::optional<Batch> Batcher::build(const LaneCursor& settled, std::uint64_t serial) {
  drafts_used_ = 0;
  bytes_ = lines_ = 0;
  full_ = false;
  last_ = Event();
  logs_.clear();
  touched_.clear();
  const std::int64_t now_ns = parts_.clock.system_ns();  // What comes later may not be read.
  const auto now = parts_.clock.steady_now();
  for (const auto& source : sources_) {
    if (source->asleep && !source->log->oldest_open_time()) continue;
    source->dry = source->asleep;
    source->number.reset();
    if (!source->asleep) source->read_at = now;
    touched_.push_back(source.get());
  }
  read();
  if (!full_)
    for (Source* const source : touched_) source->log->flush_older_than(now_ns - kClosedAfterNs);
  tell_suppressed();

  Batch batch;
  batch.serial = serial;
  batch.coding = parts_.sink.coding();
  batch.after = settled;
  settle(batch);
  if (drafts_used_ == 0 && batch.after == settled) return std::nullopt;
  for (std::size_t i = 0; i < drafts_used_; ++i) {
    Draft& draft = drafts_[i];
    Parcel parcel;
    parcel.group = parts_.sink.name_of(draft.group);
    parcel.framed = parts_.sink.frame(draft.group, draft.bytes);
    parcel.items = std::move(draft.items);
    batch.parcels.push_back(std::move(parcel));
  }
  return batch;
}

// By time, until the batch is full or nothing is left.
void Batcher::read() {
  while (!full_) {
    Source* oldest = nullptr;
    std::int64_t oldest_time = 0;
    for (Source* const source : touched_) {
      if (source->dry) continue;
      const auto time = source->log->next_time();
      source->dry = !time;
      if (!time || (oldest != nullptr && *time >= oldest_time)) continue;
      oldest = source;
      oldest_time = *time;
    }
    if (oldest == nullptr) return;
    oldest->log->take();
    full_ = bytes_ >= parts_.limits.max_bytes || lines_ >= parts_.limits.max_lines;
  }
}

void Batcher::settle(Batch& batch) {
  batch.sources = std::move(logs_);
  for (Source* const source : touched_) {
    source->asleep = source->dry && !source->log->trouble();
    LogCursor& cursor = batch.after[source->log->path()];
    cursor.tally += source->log->take_tally();
    cursor.tally += std::exchange(source->dropped, Tally());
    cursor.at = source->log->position();
    cursor.begin = source->log->begin();
  }
}

std::optional<std::chrono::nanoseconds> Batcher::open_for() const {
  std::optional<std::int64_t> oldest;
  for (const auto& source : sources_)
    if (const auto time = source->log->oldest_open_time(); time && (!oldest || *time < *oldest))
      oldest = time;
  if (!oldest) return std::nullopt;
  const std::int64_t left = *oldest + kClosedAfterNs - parts_.clock.system_ns();
  // A clock that was set back must not hold a stack trace for ever.
  return std::chrono::nanoseconds(std::clamp<std::int64_t>(left, 1'000'000, kClosedAfterNs));
}

void Batcher::take(Source& from, const MultilineJoiner::Line& line) {
  Event event;
  event.time_ns = line.time_ns;
  event.seq = line.seq;
  event.lines = line.lines;
  event.kind = line.kind;
  event.worker = line.worker;
  event.stream = line.stream;
  event.run = run_of(line.stream);
  event.origin = &from.origin;
  event.notice = line.notice;
  event.severity = line.notice ? Severity::kWarn : parts_.severity_of(line.text);
  event.text = clean_text(line.text, parts_.clean, cleaned_);
  lines_ += line.lines;
  if (!event.notice && !parts_.filter.passes_all()) {
    const EventFilter::Answer answer = parts_.filter.ask(event, json_);
    switch (answer) {
      case EventFilter::Answer::kKeep:
        break;
      case EventFilter::Answer::kFiltered:
        return from.dropped.drop(Drop::kFiltered, event.lines);
      case EventFilter::Answer::kSampled:
        return from.dropped.drop(Drop::kSampled, event.lines);
      case EventFilter::Answer::kRateLimited:
        last_ = event;
        return from.dropped.drop(Drop::kRateLimited, event.lines);
    }
  }
  if (parts_.redactor != nullptr) event.text = parts_.redactor->redact(event.text, redacted_);
  encode(event, from);
}

void Batcher::add_item(Draft& draft, std::size_t before, const Event& event, Source& from) {
  if (!from.number) {
    from.number = static_cast<std::uint32_t>(logs_.size());
    logs_.push_back(from.log->path());
  }
  const std::size_t size_bytes = draft.bytes.size() - before;
  draft.items.push_back({static_cast<std::uint32_t>(size_bytes), event.part > 1 ? 0 : event.lines,
                         event.seq, event.time_ns, *from.number});
  bytes_ += size_bytes;
}

void Batcher::encode(Event& event, Source& from) {
  const std::string_view text = event.text;
  if (text.size() > kMaxEventBytes) {
    std::vector<std::size_t> pieces;
    for (std::size_t at = 0; at < text.size(); at += pieces.back())
      pieces.push_back(next_piece_bytes(text.substr(at), kMaxEventBytes));
    event.parts = static_cast<std::uint32_t>(pieces.size());
    std::size_t at = 0;
    const std::int64_t first_ns = event.time_ns;
    for (const std::size_t size : pieces) {
      piece_.assign(text, at, size);
      piece_.append(kReadableBehind, '\0');
      event.text = std::string_view(piece_).substr(0, size);
      event.time_ns = first_ns + event.part++;
      Draft& draft = draft_for(parts_.sink.group_of(event), size);
      const std::size_t before = draft.bytes.size();
      parts_.sink.encode(event, draft.bytes);
      add_item(draft, before, event, from);
      at += size;
    }
    return;
  }
  Draft& draft = draft_for(parts_.sink.group_of(event), text.size());
  const std::size_t before = draft.bytes.size();
  parts_.sink.encode(event, draft.bytes);
  add_item(draft, before, event, from);
}

// The group's last draft, or a new one where that is full.
Batcher::Draft& Batcher::draft_for(Sink::Group group, std::size_t bytes) {
  for (std::size_t i = drafts_used_; i-- > 0;) {
    if (drafts_[i].group != group) continue;
    if (drafts_[i].bytes.size() + bytes <= parts_.limits.max_bytes) return drafts_[i];
    break;
  }
  if (drafts_used_ == drafts_.size()) drafts_.emplace_back();
  Draft& draft = drafts_[drafts_used_++];
  draft.group = group;
  draft.bytes.clear();
  draft.items.clear();
  return draft;
}

void Batcher::tell_suppressed() {
  if (last_.origin == nullptr) return;
  const std::uint64_t lines = parts_.filter.take_suppressed(last_.origin->app);
  if (lines == 0) return;
  std::string text =
      "[pmx] suppressed " + std::to_string(lines) + " lines: more than the rate limit";
  const std::size_t size = text.size();
  text.append(kReadableBehind, '\0');
  last_.text = std::string_view(text).substr(0, size);
  last_.notice = true;
  last_.lines = 0;
  last_.severity = Severity::kWarn;
  const auto source = std::find_if(touched_.begin(), touched_.end(),
                                   [&](const Source* one) { return &one->origin == last_.origin; });
  encode(last_, **source);
}

RunInfo Batcher::run_of(StreamId stream) {
  if (stream == last_stream_ && last_run_.known) return last_run_;
  last_stream_ = stream;
  last_run_ = parts_.run_of(stream);
  return last_run_;
}

void Batcher::lines_came(const std::string& path) {
  const auto found = by_path_.find(path);
  if (found != by_path_.end()) wake(*found->second);
}

void Batcher::look_at_all() {
  for (const auto& source : sources_) wake(*source);
}

void Batcher::set_end(const std::string& path, const std::optional<LogPosition>& end) {
  const auto found = by_path_.find(path);
  if (found == by_path_.end() || found->second->log->end() == end) return;
  found->second->log->set_end(end);
  found->second->asleep = false;  // What it held back may go on.
}

bool Batcher::finished() const {
  return std::all_of(sources_.begin(), sources_.end(),
                     [](const auto& source) { return source->log->finished(); });
}

bool Batcher::past_ends() const {
  return std::all_of(sources_.begin(), sources_.end(), [](const auto& source) {
    return source->log->end() && source->log->finished();
  });
}

bool Batcher::finished(const std::string& path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() || (found->second->asleep && found->second->log->finished());
}

void Batcher::expect_flush(const std::string& path, std::uint64_t below_segment) {
  const auto found = by_path_.find(path);
  if (found != by_path_.end()) found->second->log->expect_flush(below_segment);
}

bool Batcher::trouble() const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [](const auto& source) { return source->log->trouble(); });
}

void Batcher::release_memory() {
  for (const auto& source : sources_) source->log->release_memory();
  drafts_ = std::vector<Draft>();
  drafts_used_ = 0;
  for (std::string* const text : {&cleaned_, &redacted_, &piece_}) *text = std::string();
}

bool Batcher::close_files(std::chrono::steady_clock::time_point unread_since) {
  bool others = false;
  for (const auto& source : sources_) {
    if (source->read_at <= unread_since) source->log->close_files();
    others = others || source->log->has_open_files();
  }
  return others;
}

std::vector<std::string> Batcher::take_warnings() {
  std::vector<std::string> all;
  for (const auto& source : sources_)
    for (std::string& warning : source->log->take_warnings()) all.push_back(std::move(warning));
  return all;
}

}  // namespace pmx::ship
