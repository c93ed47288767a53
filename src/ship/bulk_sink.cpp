#include "ship/bulk_sink.h"

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include "base/check.h"
#include "ship/bulk_answer.h"
#include "ship/compress.h"

namespace pmx::ship {
namespace {

// Only what judge_bulk() reads; a whole answer repeats index, id and shards for every line.
constexpr std::string_view kFilterPath =
    "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,"
    "items.*.failure_store";

std::string percent_coded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string made;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        std::string_view("-._~").find(c) != std::string_view::npos) {
      made.push_back(c);
    } else {
      made.push_back('%');
      made.push_back(kHex[byte >> 4U]);
      made.push_back(kHex[byte & 0xFU]);
    }
  }
  return made;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kChars =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string made;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t three = 0;
    for (std::size_t i = 0; i < 3; ++i)
      three =
          three << 8U | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    const std::size_t chars = std::min<std::size_t>(bytes.size() - at, 3) + 1;
    for (std::size_t i = 0; i < 4; ++i)
      made.push_back(i < chars ? kChars[three >> (18U - 6U * i) & 0x3FU] : '=');
  }
  return made;
}

// The value of the Authorization header; "": none. An API key may be given as Elasticsearch's
// "encoded" or, as in Filebeat, as "id:key".
std::string authorization(const SinkAuth& auth, const std::string& secret) {
  switch (auth.kind) {
    case SinkAuth::Kind::kNone:
      return "";
    case SinkAuth::Kind::kBasic:
      return "Basic " + base64(auth.user + ":" + secret);
    case SinkAuth::Kind::kBearer:
      return "Bearer " + secret;
    case SinkAuth::Kind::kApiKey:
      return "ApiKey " + (secret.find(':') == secret.npos ? secret : base64(secret));
  }
  return "";
}

bool same_header(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

class BulkSink final : public Sink {
 public:
  BulkSink(SinkContext context, LineFields fields)
      : spec_(std::move(context.spec)),
        codec_(spec_.compression == "none" ? Codec::kNone : Codec::kGzip),
        items_(spec_, std::move(fields)) {
    for (std::string& url : spec_.urls)
      while (url.ends_with('/')) url.pop_back();
    query_ = "/_bulk?" + std::string(kFilterPath);
    if (!spec_.pipeline.empty()) query_ += "&pipeline=" + percent_coded(spec_.pipeline);
    header("Content-Type", "application/x-ndjson");
    if (codec_ == Codec::kGzip) header("Content-Encoding", std::string(content_encoding(codec_)));
    for (const auto& [name, value] : spec_.headers) header(name, value);
    const std::string value = authorization(spec_.auth, context.secret);
    const bool given = std::any_of(headers_.begin(), headers_.end(), [](const auto& other) {
      return same_header(other.first, "authorization");
    });
    if (!value.empty() && !given) header("Authorization", value);
  }

  Group group_of(const Event& event) override {
    BulkTarget& target = items_.target_of(event);
    if (!target.group) target.group = group_named(target.index);
    return *target.group;
  }
  std::string name_of(Group group) const override {
    return group < names_.size() ? names_[group] : "";
  }
  Group group_named(std::string_view name) override {
    const auto [at, added] =
        groups_.try_emplace(std::string(name), static_cast<Group>(names_.size()));
    if (added) {
      names_.emplace_back(name);
      hosts_.push_back(at->second);
    }
    return at->second;
  }

  void encode(const Event& event, std::string& out) const override { items_.append(event, out); }

  std::string coding() const override { return "bulk"; }
  Codec codec() const override { return codec_; }
  Framed frame(Group, std::string_view items) const override {
    Framed made;
    made.codec = codec_;
    made.body = compressor_.compress(codec_, items);
    return made;
  }

  HttpRequest request(Group group, std::string body, unsigned attempt) const override {
    PMX_CHECK(group < names_.size() && !spec_.urls.empty());
    if (attempt > 0) ++hosts_[group];
    HttpRequest made;
    made.url = spec_.urls[hosts_[group] % spec_.urls.size()];
    made.url.append("/").append(percent_coded(names_[group])).append(query_);
    made.headers = headers_;
    made.body = std::move(body);
    made.timeout = spec_.timeout;
    return made;
  }

  Verdict judge(const HttpAnswer& answer, std::span<const Item> items,
                std::string_view) const override {
    return judge_bulk(answer, items.size());
  }

  std::string text_of(std::string_view item) const override { return BulkItems::text_of(item); }

 private:
  void header(std::string name, std::string value) {
    headers_.emplace_back(std::move(name), std::move(value));
  }

  SinkSpec spec_;
  Codec codec_;
  std::string query_;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, Group> groups_;
  mutable Compressor compressor_;
  mutable BulkItems items_;                 // Remembers what was computed, nothing else.
  mutable std::vector<std::size_t> hosts_;  // By group: counts up, the last one asked.
};

}  // namespace

std::unique_ptr<Sink> make_bulk_sink(SinkContext context, LineFields fields) {
  return std::make_unique<BulkSink>(std::move(context), std::move(fields));
}

}  // namespace pmx::ship
