#include "ship/bulk_item.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstring>

#include "base/json.h"
#include "ship/json_escape.h"

namespace pmx::ship {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::size_t kIdChars = 22;
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// Ends what is put behind a line that is ECS itself. Legal between values, never inside one (a
// string has it as \t), never in what we put there: so text_of() finds where the line ended.
constexpr char kSpliceMark = '\t';

// What is short and always there is put together on the stack and appended once: each append to a
// string costs a few ns, and there are a dozen.
class Pen {
 public:
  void put(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put(std::uint64_t number) {
    at_ = std::to_chars(at_, buffer_.data() + buffer_.size(), number).ptr;
  }
  void put_digits(std::uint32_t number, unsigned digits) {
    char* const at = take(digits);
    for (unsigned i = digits; i-- > 0; number /= 10) at[i] = static_cast<char>('0' + number % 10);
  }
  // Nine digits, as three numbers whose divisions do not wait for one another.
  void put_nanos(std::uint32_t number) {
    put_digits(number / 1'000'000, 3);
    put_digits(number / 1000 % 1000, 3);
    put_digits(number % 1000, 3);
  }
  char* take(std::size_t bytes) {
    char* const begin = at_;
    at_ += bytes;
    return begin;
  }
  void flush(std::string& out) {
    out.append(buffer_.data(), static_cast<std::size_t>(at_ - buffer_.data()));
    at_ = buffer_.data();
  }

 private:
  std::array<char, 384> buffer_;  // Twice what the longest caller puts between two flushes.
  char* at_ = buffer_.data();
};

void put_id(const Event& event, std::uint32_t salt, Pen& pen) {
  // An odd factor: as many values as pieces. Not the piece's number alone, which would make the
  // second piece of a line the first of the next where two logs share their salt.
  std::uint32_t low = static_cast<std::uint32_t>(event.seq) ^ (event.part * 0x9E3779B1U);
  if (event.notice) low = ~low;
  const auto high = static_cast<std::uint64_t>(event.time_ns);
  const std::uint64_t rest = std::uint64_t{salt} << 32U | low;
  // 128 bits, six at a time: ten characters of each half, one that has bits of both, and the last
  // two bits.
  const auto six = [](std::uint64_t bits) { return kBase64Url[bits & 0x3FU]; };
  char* const at = pen.take(kIdChars);
  for (unsigned i = 0; i < 10; ++i) {
    at[i] = six(high >> (58U - 6U * i));
    at[11 + i] = six(rest >> (56U - 6U * i));
  }
  at[10] = six(high << 2U | rest >> 62U);
  at[21] = six(rest << 4U);
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out.append(name);
  append_json_string(out, value);
}

std::string_view stream_name(StreamKind kind) {
  return kind == StreamKind::kOut ? "stdout" : "stderr";
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  out.append(digits.data(),
             std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

// ,"error":{…}: as far as the line says it.
void append_error(const JsonFields& fields, std::string& out) {
  const std::array members{std::pair{"\"type\":", fields.error_type},
                           std::pair{"\"message\":", fields.error_message},
                           std::pair{"\"stack_trace\":", fields.error_stack}};
  bool open = false;
  for (const auto& [name, value] : members) {
    if (value.empty()) continue;
    out.append(open ? "," : ",\"error\":{");
    append_member(out, name, value);
    open = true;
  }
  if (open) out.push_back('}');
}

// ,"pmx":{…}: where one document is not one line.
void append_pmx(const Event& event, std::string& out) {
  if (event.parts == 0 && event.lines == 1 && !event.notice) return;
  out.append(",\"pmx\":{");
  const std::size_t begin = out.size();
  if (event.parts > 0) {
    out.append("\"part\":");
    append_number(out, event.part);
    out.append(",\"parts\":");
    append_number(out, event.parts);
  }
  if (event.lines != 1) {
    out.append(out.size() > begin ? ",\"lines\":" : "\"lines\":");
    append_number(out, event.lines);
  }
  if (event.notice) out.append(out.size() > begin ? ",\"notice\":true" : "\"notice\":true");
  out.push_back('}');
}

}  // namespace

BulkItems::BulkItems(const SinkSpec& spec, LineFields fields)
    : targets_(spec), fields_(std::move(fields)) {
  for (const std::string& field : spec.label_fields) {
    std::string key = BulkTargets::label_key(field);
    bool taken = targets_.labels().contains(key);
    for (const FieldLabel& other : field_labels_) taken = taken || other.key == key;
    if (!taken) field_labels_.push_back({field, std::move(key)});
  }
}

std::string_view BulkItems::second_text(std::int64_t time_ns) {
  const std::int64_t since = time_ns - second_ * kSecondNs;
  if (since >= 0 && since < kSecondNs && !second_text_.empty()) return second_text_;
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(time_ns)};
  const auto second = floor<std::chrono::seconds>(time);
  const auto day = floor<std::chrono::days>(second);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(second - day);
  Pen pen;
  pen.put_digits(static_cast<std::uint32_t>(static_cast<int>(date.year())), 4);
  const auto two = [&pen](std::string_view before, auto value) {
    pen.put(before);
    pen.put_digits(static_cast<std::uint32_t>(value), 2);
  };
  two("-", static_cast<unsigned>(date.month()));
  two("-", static_cast<unsigned>(date.day()));
  two("T", clock.hours().count());
  two(":", clock.minutes().count());
  two(":", clock.seconds().count());
  second_text_.clear();
  pen.flush(second_text_);
  second_ = second.time_since_epoch().count();
  return second_text_;
}

void BulkItems::append_action(const Event& event, const BulkTarget& target,
                              std::string& out) const {
  Pen pen;
  pen.put("{\"create\":{\"_id\":\"");
  put_id(event, target.id_salt, pen);
  pen.put("\"}}\n");
  pen.flush(out);
}

void BulkItems::append(const Event& event, std::string& out) {
  const BulkTarget& target = targets_.of(event);
  append_action(event, target, out);
  const JsonFields* fields = nullptr;
  if (fields_.read && event.parts == 0 && event.text.starts_with('{')) {
    const JsonFields& read = fields_.read(event.text);
    if (read.is_object) fields = &read;
  }
  if (fields != nullptr && fields->ecs && append_record(event, target, out)) return;
  append_source(event, target, fields, out);
}

void BulkItems::append_source(const Event& event, const BulkTarget& target,
                              const JsonFields* fields, std::string& out) {
  const std::string_view second = second_text(event.time_ns);
  Pen pen;
  pen.put("{\"@timestamp\":\"");
  pen.put(second);
  pen.put(".");
  pen.put_nanos(static_cast<std::uint32_t>(event.time_ns - second_ * kSecondNs));
  pen.put("Z\",\"log\":{\"level\":\"");
  pen.put(name_of(event.severity));
  pen.put("\"");
  if (fields != nullptr && !fields->logger.empty()) {
    pen.flush(out);
    append_member(out, ",\"logger\":", fields->logger);
  }
  pen.put("},\"event\":{\"sequence\":");
  pen.put(event.seq);
  const bool has_message = fields != nullptr && !fields->message.empty();
  if (has_message) {
    pen.flush(out);
    append_member(out, ",\"original\":", event.text);
  }
  pen.put("},\"stream\":\"");
  pen.put(stream_name(event.kind));
  pen.put("\"");
  if (event.run.pid > 0) {
    pen.put(",\"process\":{\"pid\":");
    pen.put(static_cast<std::uint64_t>(event.run.pid));
    pen.put("}");
  }
  pen.flush(out);
  out.append(target.service);
  if (event.run.instance >= 0) {
    pen.put(",\"node\":{\"name\":\"");
    pen.put(static_cast<std::uint64_t>(event.run.instance));
    pen.put("\"}");
    pen.flush(out);
  }
  out.append(target.rest);
  append_pmx(event, out);
  if (fields != nullptr) {
    if (!fields->trace_id.empty()) {
      append_member(out, ",\"trace\":{\"id\":", fields->trace_id);
      out.push_back('}');
    }
    if (!fields->span_id.empty()) {
      append_member(out, ",\"span\":{\"id\":", fields->span_id);
      out.push_back('}');
    }
    append_error(*fields, out);
  }
  append_member(out, ",\"message\":", has_message ? fields->message : event.text);
  if (!field_labels_.empty()) append_labels(fields != nullptr, out);
  out.append("}\n");
}

// Last of all: asking for a value ends the life of what was read before.
void BulkItems::append_labels(bool of_line, std::string& out) {
  out.append(",\"labels\":{");
  const std::size_t begin = out.size();
  const auto member = [&out, begin](std::string_view key, std::string_view value) {
    if (out.size() > begin) out.push_back(',');
    append_json_string(out, key);
    out.push_back(':');
    append_json_string(out, value);
  };
  for (const auto& [key, value] : targets_.labels()) member(key, value);
  if (of_line && fields_.value)
    for (const FieldLabel& label : field_labels_)
      if (const auto value = fields_.value(label.field)) member(label.key, *value);
  out.push_back('}');
}

// The line is sent as the source; false: it cannot be.
bool BulkItems::append_record(const Event& event, const BulkTarget& target, std::string& out) {
  std::string_view record = event.text;
  if (record.find('\n') != record.npos) return false;  // Would be two lines of the request.
  record = record.substr(0, record.find_last_not_of(" \t\r") + 1);
  if (!record_.read(record)) return false;
  // The index template holds the stream's own names for it as constants: others are refused.
  if (target.in_data_stream &&
      (record_.has("data_stream.type") || record_.has("data_stream.dataset") ||
       record_.has("data_stream.namespace")))
    return false;
  out.append(record.substr(0, record.size() - 1));
  out.push_back(kSpliceMark);
  const auto text = [this, &out](std::string_view path, std::string_view value) {
    if (record_.has(path)) return;
    out.append(",\"").append(path).append("\":\"").append(value).push_back('"');
  };
  const auto number = [this, &out](std::string_view path, std::uint64_t value) {
    if (record_.has(path)) return;
    out.append(",\"").append(path).append("\":");
    append_number(out, value);
  };
  text("log.level", name_of(event.severity));
  number("event.sequence", event.seq);
  text("stream", stream_name(event.kind));
  if (event.run.pid > 0) number("process.pid", static_cast<std::uint64_t>(event.run.pid));
  if (event.run.instance >= 0) text("service.node.name", std::to_string(event.run.instance));
  for (const auto& [path, field] : target.fields)
    if (!record_.has(path)) out.append(field);
  if (fields_.value)
    for (const FieldLabel& label : field_labels_) {
      if (record_.has("labels." + label.key)) continue;
      if (const auto value = fields_.value(label.field)) {
        out.push_back(',');
        append_json_string(out, "labels." + label.key);
        out.push_back(':');
        append_json_string(out, *value);
      }
    }
  out.append("}\n");
  return true;
}

std::string BulkItems::text_of(std::string_view item) {
  item.remove_prefix(std::min(item.find('\n'), item.size() - 1) + 1);
  if (item.ends_with('\n')) item.remove_suffix(1);
  if (const std::size_t mark = item.rfind(kSpliceMark); mark != item.npos)
    return std::string(item.substr(0, mark)) + "}";
  const Result<Json> source = Json::parse(item);
  if (!source) return std::string(item);  // Not ours: the store's reader sees what there is.
  const Json& original = (*source)["event"]["original"];
  return original.is_string() ? original.as_string() : (*source)["message"].as_string();
}

}  // namespace pmx::ship
