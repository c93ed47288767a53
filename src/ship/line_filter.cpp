// The cheap questions come first: stream and level are known, patterns cost a pass over the line,
// fields a parse of it. The rate limit is last, so that only lines that would be sent use it up.
#include "ship/line_filter.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/pattern_error.h"
#include "ship/internal/token_bucket.h"

namespace pmx::ship {
namespace {

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

RE2::Options pattern_options() {
  RE2::Options options;
  options.set_log_errors(false);
  return options;
}

// Whether any of some patterns is in a text: one pass for all of them.
class AnyPattern {
 public:
  Result<void> add_all(std::string_view setting, const std::vector<std::string>& texts) {
    if (texts.size() > 1) set_ = std::make_unique<RE2::Set>(pattern_options(), RE2::UNANCHORED);
    for (const std::string& text : texts) {
      auto pattern = std::make_unique<RE2>(text, pattern_options());
      if (!pattern->ok()) return pattern_error(setting, text, pattern->error());
      if (set_) set_->Add(text, nullptr);
      patterns_.push_back(std::move(pattern));
    }
    if (set_ && !set_->Compile()) set_.reset();  // Too many for one automaton: one by one.
    return {};
  }
  bool empty() const { return patterns_.empty(); }
  bool matches(std::string_view text) const {
    if (set_) {
      RE2::Set::ErrorInfo error{};
      if (set_->Match(piece(text), nullptr, &error)) return true;
      if (error.kind == RE2::Set::kNoError) return false;
    }
    return std::any_of(patterns_.begin(), patterns_.end(), [text](const auto& pattern) {
      return RE2::PartialMatch(piece(text), *pattern);
    });
  }

 private:
  std::vector<std::unique_ptr<RE2>> patterns_;
  std::unique_ptr<RE2::Set> set_;
};

std::uint64_t log_of(const Event& event) {
  return event.origin == nullptr ? 0 : event.origin->log.value;
}

// The last step of MurmurHash3: FNV alone leaves the upper bits of short texts alike.
std::uint64_t mix(std::uint64_t hash) {
  hash = (hash ^ hash >> 33U) * 0xFF51AFD7ED558CCDULL;
  hash = (hash ^ hash >> 33U) * 0xC4CEB9FE1A85EC53ULL;
  return hash ^ hash >> 33U;
}

bool begins_like_json(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first != text.npos && text[first] == '{';
}

// In [0, 1), the same for ever: by trace id, so that a trace is kept as a whole and every machine
// keeps the same ones; else by which line it is and not by what it says, because one that repeats
// would be kept always or never.
double place_of(const Event& event, std::string_view trace_id) {
  constexpr double kTwoTo53 = 9007199254740992.0;
  const std::uint64_t hash = trace_id.empty() ? log_of(event) ^ event.seq * 0x9E3779B97F4A7C15ULL
                                              : log_id_of(trace_id).value;
  return static_cast<double>(mix(hash) >> 11U) / kTwoTo53;
}

}  // namespace

struct EventFilter::Impl {
  SinkFilter rules;
  AnyPattern only, drop;
  std::vector<std::pair<std::string, std::unique_ptr<RE2>>> fields;
  internal::RateLimit rate;

  // The line whose first piece was asked about last: its other pieces get the same answer.
  std::uint64_t pieces_log = 0, pieces_seq = 0;
  Answer pieces_answer = Answer::kKeep;

  Answer ask(const Event& event, JsonReader& json);
  bool passes_fields(const JsonFields& read, JsonReader& json) const;
};

EventFilter::EventFilter() : impl_(std::make_unique<Impl>()) {}
EventFilter::~EventFilter() = default;

Result<std::unique_ptr<EventFilter>> EventFilter::create(const SinkFilter& filter) {
  std::unique_ptr<EventFilter> made(new EventFilter());
  Impl& impl = *made->impl_;
  impl.rules = filter;
  impl.rate = internal::RateLimit(filter.rate_lines);
  PMX_TRY(impl.only.add_all("filter.only", filter.only));
  PMX_TRY(impl.drop.add_all("filter.drop", filter.drop));
  for (const auto& [key, text] : filter.fields) {
    auto pattern = std::make_unique<RE2>(text, pattern_options());
    if (!pattern->ok()) return pattern_error("filter.fields." + key, text, pattern->error());
    impl.fields.emplace_back(key, std::move(pattern));
  }
  return made;
}

bool EventFilter::passes_all() const {
  const SinkFilter& rules = impl_->rules;
  return !rules.stream && !rules.level && impl_->only.empty() && impl_->drop.empty() &&
         impl_->fields.empty() && rules.sample >= 1.0 && rules.rate_lines == 0;
}

bool EventFilter::Impl::passes_fields(const JsonFields& read, JsonReader& json) const {
  return read.is_object && std::all_of(fields.begin(), fields.end(), [&json](const auto& field) {
           const auto value = json.value(field.first);
           return value && RE2::PartialMatch(piece(*value), *field.second);
         });
}

EventFilter::Answer EventFilter::Impl::ask(const Event& event, JsonReader& json) {
  if (rules.stream && event.kind != *rules.stream) return Answer::kFiltered;
  if (rules.level && event.severity < *rules.level) return Answer::kFiltered;
  if (!drop.empty() && drop.matches(event.text)) return Answer::kFiltered;
  if (!only.empty() && !only.matches(event.text)) return Answer::kFiltered;
  const bool sampled = rules.sample < 1.0 && event.severity < rules.sample_keeps;
  if (!fields.empty() || sampled) {
    const bool may_be_json = event.parts == 0 && begins_like_json(event.text);
    const JsonFields none;
    const JsonFields& read = may_be_json ? json.read(event.text) : none;
    if (!fields.empty() && !passes_fields(read, json)) return Answer::kFiltered;
    if (sampled && !(place_of(event, read.trace_id) < rules.sample)) return Answer::kSampled;
  }
  if (!rate.admit(event.origin == nullptr ? std::string_view() : event.origin->app, event.time_ns,
                  event.lines))
    return Answer::kRateLimited;
  return Answer::kKeep;
}

EventFilter::Answer EventFilter::ask(const Event& event, JsonReader& json) {
  Impl& impl = *impl_;
  if (event.notice) return Answer::kKeep;  // It says why other lines are missing.
  if (event.parts == 0) return impl.ask(event, json);
  if (event.part > 1 && impl.pieces_log == log_of(event) && impl.pieces_seq == event.seq)
    return impl.pieces_answer;
  impl.pieces_answer = impl.ask(event, json);
  impl.pieces_log = log_of(event);
  impl.pieces_seq = event.seq;
  return impl.pieces_answer;
}

std::uint64_t EventFilter::take_suppressed(const std::string& app) {
  return impl_->rate.take_suppressed(app);
}

}  // namespace pmx::ship
