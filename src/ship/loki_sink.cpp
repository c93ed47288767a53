#include "ship/loki_sink.h"

#include <array>
#include <deque>
#include <unordered_map>
#include <utility>

#include "ship/compress.h"
#include "ship/internal/http_words.h"
#include "ship/internal/kept_rates.h"
#include "ship/internal/label_rules.h"
#include "ship/internal/loki_answer.h"
#include "ship/internal/loki_entry.h"
#include "ship/internal/stream_shards.h"
#include "ship/json_escape.h"

namespace pmx::ship {
namespace {

using internal::LabelMap;
using internal::LokiEncoding;

constexpr std::size_t kMaxLabels = 15 - 1;         // 1: `shard`.
constexpr std::size_t kMetadataBytes = 64;         // About what an entry has of it.
constexpr Sink::Group kNoGroup = ~Sink::Group{0};  // Not made yet.
constexpr std::string_view kPushPath = "/loki/api/v1/push", kReadyPath = "/ready";
constexpr std::string_view kJsonSuffix = "]}]}";

std::string_view stream_label(StreamKind kind) {
  return kind == StreamKind::kOut ? "stdout" : "stderr";
}

class LokiSink final : public Sink {
 public:
  explicit LokiSink(SinkContext context);
  Group group_of(const Event& event) override;
  std::string name_of(Group group) const override { return groups_[group].labels; }
  Group group_named(std::string_view name) override;
  void encode(const Event& event, std::string& out) const override;
  std::string coding() const override {
    return encoding_ == LokiEncoding::kJson ? "loki/json" : "loki/protobuf";
  }
  Codec codec() const override;
  Framed frame(Group group, std::string_view items) const override;
  HttpRequest request(Group group, std::string body, unsigned attempt) const override;
  Verdict judge(const HttpAnswer& answer, std::span<const Item> items,
                std::string_view bytes) const override;
  std::string text_of(std::string_view item) const override {
    return internal::line_of(item, encoding_).value_or("");
  }
  std::optional<HttpRequest> readiness_request(unsigned attempt) const override;
  Readiness readiness(const HttpAnswer& answer) const override {
    return internal::loki_readiness(answer);
  }
  void sent_again(Group group, std::size_t bytes) override;
  std::optional<std::string> take_rates() override;
  void restore_rates(std::string_view json) override;

 private:
  // What one label set but for `shard` is made of. A copy of the origin: another may come to lie at
  // the same address.
  struct Base {
    bool is_of(const Event& event) const {
      return kind == event.kind && app == event.origin->app && host == event.origin->host &&
             app_namespace == event.origin->app_namespace && env == event.origin->env;
    }
    std::string app, app_namespace, env, host;
    StreamKind kind = StreamKind::kOut;
    LabelMap labels;
    std::string labels_text;
    internal::StreamShards shards;
    std::array<Group, 2 * internal::StreamShards::kMaxShards> groups;  // [1]: not divided.
  };
  struct GroupInfo {
    std::string labels;  // {app="api", …}: what protobuf sends.
    std::string json;    // {"app":"api", …}
  };
  struct Metadata {
    bool valid = false;
    Severity severity = Severity::kInfo;
    RunInfo run;
    std::string pairs;
  };

  HttpRequest request_to(unsigned attempt, std::string_view path) const;
  void measure(internal::StreamShards& shards, std::size_t bytes, std::int64_t time_ns);
  Base& base_of(const Event& event);
  std::unique_ptr<Base> make_base(const Event& event);
  void append_fields(const Event& event);
  Group group_with(LabelMap labels);
  Group add_group(std::string labels_text, const LabelMap& labels);
  std::optional<std::string_view> field(const Event& event, std::string_view key) const;
  const std::string& fixed_metadata(const Event& event) const;
  const std::string& own_metadata(const Event& event) const;

  SinkSpec spec_;
  std::string secret_;
  decltype(SinkContext::field_of) field_of_;
  const Clock* clock_;
  LokiEncoding encoding_;
  LabelMap own_labels_;                    // spec.labels, made fit.
  std::vector<std::string> label_fields_;  // Of spec.label_fields, what becomes labels …
  std::vector<std::pair<std::string, std::string>>
      metadata_fields_;  // … and field, name of others.

  std::deque<GroupInfo> groups_;
  std::unordered_map<std::string, Group> by_name_;
  std::unordered_map<std::string, std::unique_ptr<Base>> bases_;
  Base* last_ = nullptr;
  internal::KeptRates kept_;  // Of bases that had no event since this process began.
  bool measured_ = false;
  std::string key_;  // Of a base; kept for its room.

  mutable std::array<Metadata, 64> metadata_;  // By pid and severity: eight instances take turns.
  mutable std::string own_;
  mutable Compressor compressor_;
  mutable bool hide_metadata_ = false;  // The store allows none.
};

LokiSink::LokiSink(SinkContext context)
    : spec_(std::move(context.spec)),
      secret_(std::move(context.secret)),
      field_of_(std::move(context.field_of)),
      clock_(context.clock),
      encoding_(spec_.encoding == "json" ? LokiEncoding::kJson : LokiEncoding::kProtobuf) {
  for (const auto& [name, value] : spec_.labels)
    if (auto fit = internal::label_name(name); !fit.empty() && fit != "shard")
      own_labels_.emplace(std::move(fit), internal::label_value(value));
  for (const std::string& name : field_of_ ? spec_.label_fields : std::vector<std::string>()) {
    if (const auto metadata = internal::metadata_name(name); !metadata.empty())
      metadata_fields_.emplace_back(name, metadata);
    else if (const auto fit = internal::label_name(name); !fit.empty() && fit != "shard")
      label_fields_.push_back(name);
  }
}

// A top-level field of a line that is an object.
std::optional<std::string_view> LokiSink::field(const Event& event, std::string_view key) const {
  if (!event.text.starts_with('{')) return std::nullopt;
  return field_of_(event.text, key);
}

void LokiSink::append_fields(const Event& event) {
  if (bases_.size() >= kMaxLokiGroups) return;
  for (const std::string& name : label_fields_) {
    key_ += '\0';
    if (const auto value = field(event, name))
      key_ += value->substr(0, internal::kMaxLabelValueBytes);
  }
}

LokiSink::Base& LokiSink::base_of(const Event& event) {
  if (label_fields_.empty() && last_ != nullptr && last_->is_of(event)) return *last_;
  const Origin& origin = *event.origin;
  key_.assign(stream_label(event.kind));
  for (const std::string* part : {&origin.app, &origin.app_namespace, &origin.env, &origin.host})
    (key_ += '\0') += *part;
  append_fields(event);
  auto& base = bases_[key_];
  if (!base) base = make_base(event);
  last_ = base.get();
  return *base;
}

std::unique_ptr<LokiSink::Base> LokiSink::make_base(const Event& event) {
  auto base = std::make_unique<Base>();
  const Origin& origin = *event.origin;
  base->app = origin.app;
  base->app_namespace = origin.app_namespace;
  base->env = origin.env;
  base->host = origin.host;
  base->kind = event.kind;
  base->groups.fill(kNoGroup);
  LabelMap& labels = base->labels;
  // The store takes an empty value for no label.
  const auto add = [&](std::string_view name, std::string value) {
    if (!value.empty() && labels.size() < kMaxLabels) labels.emplace(name, std::move(value));
  };
  const std::array<std::pair<std::string_view, std::string_view>, 5> built_in{
      {{"app", origin.app},
       {"host", origin.host},
       {"stream", stream_label(event.kind)},
       {"namespace", origin.app_namespace},
       {"env", origin.env}}};
  for (const auto& [name, value] : built_in) {
    const auto own = own_labels_.find(std::string(name));
    add(name, own != own_labels_.end() ? own->second : internal::label_value(value));
  }
  for (const auto& [name, value] : own_labels_) add(name, value);
  if (bases_.size() <= kMaxLokiGroups)  // This one is in it already.
    for (const std::string& name : label_fields_)
      if (const auto value = field(event, name))
        add(internal::label_name(name), internal::label_value(*value));
  base->labels_text = internal::labels_text(labels);
  if (const auto rate = kept_.take(base->labels_text)) base->shards.go_on_from(*rate);
  return base;
}

void LokiSink::measure(internal::StreamShards& shards, std::size_t bytes, std::int64_t time_ns) {
  if (!shards.add(bytes)) return;
  shards.look(clock_ != nullptr ? clock_->steady_now().time_since_epoch()
                                : std::chrono::nanoseconds(time_ns));
  measured_ = true;
}

// Of a flight, its stream may not have had an event yet.
void LokiSink::sent_again(Group group, std::size_t bytes) {
  auto labels = internal::parse_labels(name_of(group));
  if (!labels || clock_ == nullptr) return;
  labels->erase("shard");
  const std::string text = internal::labels_text(*labels);
  for (const auto& [key, base] : bases_)
    if (base->labels_text == text) return measure(base->shards, bytes, 0);
  internal::StreamShards shards;
  if (const auto rate = kept_.take(text)) shards.go_on_from(*rate);
  measure(shards, bytes, 0);
  if (shards.worth_keeping()) kept_.put(text, shards.measure());
}

Sink::Group LokiSink::group_of(const Event& event) {
  Base& base = base_of(event);
  measure(base.shards, event.text.size() + kMetadataBytes, event.time_ns);
  const bool divided = base.shards.count() > 1;
  const unsigned shard = base.shards.shard_of(event.seq);
  Group& group = base.groups[shard];
  if (group != kNoGroup) return group;
  LabelMap labels = base.labels;
  if (divided) labels["shard"] = std::to_string(shard);
  return group = group_with(std::move(labels));
}

std::optional<std::string> LokiSink::take_rates() {
  if (!std::exchange(measured_, false)) return std::nullopt;
  internal::KeptRates::Rates busy;
  for (const auto& [key, base] : bases_)
    if (base->shards.worth_keeping()) busy[base->labels_text] = base->shards.measure();
  return kept_.text(std::move(busy));
}

void LokiSink::restore_rates(std::string_view json) {
  if (clock_ != nullptr) kept_.read(json, clock_->steady_now().time_since_epoch());
}

Sink::Group LokiSink::group_with(LabelMap labels) {
  std::string text = internal::labels_text(labels);
  const auto known = by_name_.find(text);
  return known != by_name_.end() ? known->second : add_group(std::move(text), labels);
}

Sink::Group LokiSink::add_group(std::string labels_text, const LabelMap& labels) {
  std::string json = "{";
  for (const auto& [name, value] : labels) {
    if (json.size() > 1) json += ',';
    append_json_string(json, name);
    json += ':';
    append_json_string(json, value);
  }
  const auto group = static_cast<Group>(groups_.size());
  by_name_.emplace(labels_text, group);
  groups_.push_back({std::move(labels_text), json + "}"});
  return group;
}

Sink::Group LokiSink::group_named(std::string_view name) {
  if (const auto known = by_name_.find(std::string(name)); known != by_name_.end())
    return known->second;
  // A name that is none cannot be sent as JSON; the store will say so of it, and nothing is lost.
  return add_group(std::string(name), internal::parse_labels(name).value_or(LabelMap()));
}

const std::string& LokiSink::fixed_metadata(const Event& event) const {
  const RunInfo& run = event.run;
  const auto severities = static_cast<std::uint64_t>(Severity::kFatal) + 1;
  const auto slot =
      static_cast<std::uint64_t>(run.pid) * severities + static_cast<std::uint64_t>(event.severity);
  Metadata& made = metadata_[slot % metadata_.size()];
  if (made.valid && made.severity == event.severity && made.run.pid == run.pid &&
      made.run.instance == run.instance && made.run.run == run.run && made.run.known == run.known)
    return made.pairs;
  made.valid = true;
  made.severity = event.severity;
  made.run = run;
  made.pairs.clear();
  const auto add = [&](std::string_view name, auto value) {
    internal::append_pair(made.pairs, encoding_, name, value);
  };
  add("detected_level", pmx::name_of(event.severity));
  if (run.pid != 0) add("pid", static_cast<std::uint64_t>(run.pid));
  if (run.instance >= 0) add("instance", static_cast<std::uint64_t>(run.instance));
  if (run.known) add("run", run.run);
  return made.pairs;
}

const std::string& LokiSink::own_metadata(const Event& event) const {
  own_.clear();
  const auto add = [&](std::string_view name, auto value) {
    internal::append_pair(own_, encoding_, name, value);
  };
  if (event.parts != 0)
    add("part", std::string_view(std::to_string(event.part) + "/" + std::to_string(event.parts)));
  for (const auto& [name, metadata] : metadata_fields_)
    if (const auto value = field(event, name); value && !value->empty())
      add(metadata, std::string_view(internal::label_value(*value)));
  return own_;
}

void LokiSink::encode(const Event& event, std::string& out) const {
  if (!spec_.metadata)
    return internal::append_entry(out, encoding_, event.time_ns, event.text, {}, {});
  internal::append_entry(out, encoding_, event.time_ns, event.text, fixed_metadata(event),
                         own_metadata(event));
}

Codec LokiSink::codec() const {
  if (encoding_ == LokiEncoding::kProtobuf) return Codec::kSnappy;  // The store takes no other.
  return spec_.compression == "none" ? Codec::kNone : Codec::kGzip;
}

Framed LokiSink::frame(Group group, std::string_view items) const {
  const GroupInfo& info = groups_[group];
  std::string changed;
  if (hide_metadata_ || !spec_.metadata) {  // Items may be older than the setting.
    changed = items;
    internal::hide_metadata(changed, encoding_);
    items = changed;
  }
  Framed framed;
  framed.codec = codec();
  std::string prefix;
  if (encoding_ == LokiEncoding::kProtobuf) {
    const std::size_t labels_bytes =
        1 + internal::varint_bytes(info.labels.size()) + info.labels.size();
    prefix += '\x0A';  // PushRequest.streams …
    internal::append_varint(prefix, labels_bytes + items.size());
    prefix += '\x0A';  // … whose Stream.labels.
    internal::append_varint(prefix, info.labels.size());
    prefix += info.labels;
    framed.body = compressor_.compress(framed.codec, std::array{std::string_view(prefix), items});
  } else {
    prefix.append(R"({"streams":[{"stream":)").append(info.json).append(R"(,"values":[)");
    // The first item's comma becomes a space.
    framed.body = compressor_.compress(
        framed.codec,
        std::array<std::string_view, 4>{prefix, items.empty() ? "" : " ",
                                        items.substr(items.empty() ? 0 : 1), kJsonSuffix});
    framed.suffix_bytes = kJsonSuffix.size();
  }
  framed.prefix_bytes = static_cast<std::uint32_t>(prefix.size());
  return framed;
}

// A URL that ends with "push" is the push API's own.
HttpRequest LokiSink::request_to(unsigned attempt, std::string_view path) const {
  std::string url = spec_.urls[attempt % spec_.urls.size()];
  while (url.ends_with('/')) url.pop_back();
  const bool whole = url.ends_with("/push");
  if (whole && path != kPushPath)
    url.resize(url.ends_with(kPushPath) ? url.size() - kPushPath.size() : url.rfind('/'));
  if (!whole || path != kPushPath) url += path;
  HttpRequest request = internal::make_request(spec_, secret_, std::move(url));
  if (!spec_.tenant.empty()) internal::set_header(request, "X-Scope-OrgID", spec_.tenant);
  return request;
}

HttpRequest LokiSink::request(Group, std::string body, unsigned attempt) const {
  HttpRequest request = request_to(attempt, kPushPath);
  const bool json = encoding_ == LokiEncoding::kJson;
  internal::set_header(request, "Content-Type",
                       json ? "application/json" : "application/x-protobuf");
  // Of protobuf's snappy nothing is said: the store expects it, proxies do not know it.
  if (codec() == Codec::kGzip) internal::set_header(request, "Content-Encoding", "gzip");
  request.body = std::move(body);
  return request;
}

std::optional<HttpRequest> LokiSink::readiness_request(unsigned attempt) const {
  HttpRequest request = request_to(attempt, kReadyPath);
  request.method = "GET";
  return request;
}

Verdict LokiSink::judge(const HttpAnswer& answer, std::span<const Item> items,
                        std::string_view bytes) const {
  auto judged = internal::judge_loki(answer, items, bytes, encoding_);
  hide_metadata_ = hide_metadata_ || judged.metadata_disallowed;
  return std::move(judged.verdict);
}

}  // namespace

std::unique_ptr<Sink> make_loki_sink(SinkContext context) {
  return std::make_unique<LokiSink>(std::move(context));
}

}  // namespace pmx::ship
