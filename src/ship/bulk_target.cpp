#include "ship/bulk_target.h"

#include <algorithm>

#include "ship/json_escape.h"

namespace pmx::ship {
namespace {

constexpr std::string_view kEcsVersion = "8.11.0";

bool same(const Origin& a, const Origin& b) {
  return a.app == b.app && a.host == b.host && a.app_namespace == b.app_namespace &&
         a.env == b.env && a.version == b.version;
}

// FNV-1a, as LogId itself.
std::uint32_t salt_of(const Origin& origin) {
  std::uint64_t hash = origin.log.value;
  for (const char c : origin.host) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return static_cast<std::uint32_t>(hash >> 32U) ^ static_cast<std::uint32_t>(hash);
}

// Writes an object member by member, leaving out what is not set.
class ObjectText {
 public:
  explicit ObjectText(std::string_view name) : name_(name) {}
  void add(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    text_ += text_.empty() ? ",\"" + name_ + "\":{" : ",";
    append_json_string(text_, key);
    text_.push_back(':');
    append_json_string(text_, value);
  }
  const std::string& open() const { return text_; }
  std::string closed() const { return text_.empty() ? "" : text_ + "}"; }

 private:
  std::string name_;
  std::string text_;
};

}  // namespace

std::string BulkTargets::label_key(std::string_view key) {
  std::string made(key);
  std::replace(made.begin(), made.end(), '.', '_');
  return made;
}

BulkTargets::BulkTargets(const SinkSpec& spec)
    : index_(spec), data_stream_(spec.data_stream), labels_open_(!spec.label_fields.empty()) {
  for (const auto& [key, value] : spec.labels) labels_.emplace(label_key(key), value);
}

BulkTarget& BulkTargets::of(const Event& event) {
  const Origin& origin = *event.origin;
  const std::int64_t period = index_.period_of(event.time_ns);
  auto found = targets_.find(origin.log);
  if (found != targets_.end() && found->second.period == period &&
      same(found->second.origin, origin))
    return found->second;
  if (found == targets_.end()) {
    if (targets_.size() >= kMaxTargets) targets_.clear();
    found = targets_.emplace(origin.log, BulkTarget{}).first;
  }
  found->second = BulkTarget{};
  found->second.period = period;
  make(found->second, event);
  return found->second;
}

void BulkTargets::make(BulkTarget& target, const Event& event) const {
  const Origin& origin = *event.origin;
  target.origin = origin;
  target.index = index_.name(origin, event.time_ns);
  target.id_salt = salt_of(origin);
  const auto field = [&target](std::string path, std::string_view value) {
    if (value.empty()) return;
    std::string text = ",";
    append_json_string(text, path);
    text.push_back(':');
    append_json_string(text, value);
    target.fields.emplace_back(std::move(path), std::move(text));
  };
  ObjectText service("service"), host("host"), agent("agent"), ecs("ecs"), stream("data_stream"),
      labels("labels");
  const auto both = [&field](ObjectText& object, std::string_view name, std::string_view key,
                             std::string_view value) {
    object.add(key, value);
    field(std::string(name) + "." + std::string(key), value);
  };
  both(service, "service", "name", origin.app.empty() ? "unknown" : origin.app);
  both(service, "service", "environment", origin.env);
  both(service, "service", "version", origin.version);
  both(host, "host", "name", origin.host);
  both(agent, "agent", "type", "pmx");
  both(agent, "agent", "version", PMX_VERSION);
  both(ecs, "ecs", "version", kEcsVersion);
  if (const auto parts = data_stream_parts(target.index); parts && data_stream_) {
    target.in_data_stream = true;
    both(stream, "data_stream", "type", parts->type);
    both(stream, "data_stream", "dataset", parts->dataset);
    both(stream, "data_stream", "namespace", parts->space);
  }
  for (const auto& [key, value] : labels_) both(labels, "labels", key, value);
  target.service = service.open();
  target.rest = "}" + host.closed() + agent.closed() + ecs.closed() + stream.closed();
  if (!labels_open_) target.rest += labels.closed();
}

}  // namespace pmx::ship
