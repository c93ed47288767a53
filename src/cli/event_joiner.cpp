#include "cli/event_joiner.h"

#include <utility>

#include "rotate/segment_reader.h"

namespace pmx::cli {

EventJoiner::EventJoiner(Emit emit)
    : emit_(std::move(emit)),
      joiner_([this](const ship::MultilineJoiner::Line& joined) { emitted(joined); }) {}

void EventJoiner::add(const rotate::LogLine& line, std::uint64_t number) {
  ship::MultilineJoiner::Line next;
  next.text = rotate::worker_text(line, message_);
  next.time_ns = line.time_ns;
  next.seq = number;
  next.stream = line.stream;
  next.worker = line.worker;
  next.kind = line.kind;
  next.notice = line.dropped_notice;
  const std::size_t date_bytes = line.text.size() - next.text.size();
  if (line.render == RenderSpec::Kind::kDate && date_bytes > 0)
    dates_[{line.stream, number}] = line.text.substr(0, date_bytes);
  joiner_.add(next);
}

void EventJoiner::emitted(const ship::MultilineJoiner::Line& joined) {
  rotate::LogLine event;
  event.text = joined.text;
  event.time_ns = joined.time_ns;
  event.seq = joined.seq;
  event.worker = joined.worker;
  event.kind = joined.kind;
  event.stream = joined.stream;
  event.dropped_notice = joined.notice;
  if (const auto date = dates_.find({joined.stream, joined.seq}); date != dates_.end()) {
    event.render = RenderSpec::Kind::kDate;
    dated_ = date->second;
    dated_ += joined.text;
    const std::size_t size = dated_.size();
    dated_.append(rotate::kReadablePastEnd, '\0');
    event.text = std::string_view(dated_).substr(0, size);
  }
  if (!dates_.empty())
    dates_.erase(dates_.lower_bound({joined.stream, 0}),
                 dates_.upper_bound({joined.stream, joined.last_seq}));
  emit_(event);
}

}  // namespace pmx::cli
