#include "ship/jsonline_sink.h"

#include <array>
#include <utility>

#include "ship/compress.h"
#include "ship/internal/http_words.h"
#include "ship/internal/jsonline_items.h"

namespace pmx::ship {
namespace {

constexpr std::string_view kInsertPath = "/insert/jsonline";
constexpr std::string_view kGroupName = "lines";
constexpr std::size_t kVictoriaLineBytes = 256U << 10U;

Codec codec_named(std::string_view name, Codec otherwise) {
  for (const Codec codec : {Codec::kGzip, Codec::kZstd, Codec::kSnappy})
    if (name == content_encoding(codec)) return codec;
  return name == "none" ? Codec::kNone : otherwise;
}

class JsonlineSink final : public Sink {
 public:
  explicit JsonlineSink(SinkContext context)
      : victoria_(context.spec.type == SinkType::kVictoriaLogs),
        items_(context, victoria_
                            ? internal::JsonlineItems::Options{"_time", "_msg", kVictoriaLineBytes}
                            : internal::JsonlineItems::Options{}),
        spec_(std::move(context.spec)),
        secret_(std::move(context.secret)),
        codec_(codec_named(spec_.compression, victoria_ ? Codec::kZstd : Codec::kNone)) {
    // Snappy over HTTP has no one format: to a store that is not told which, it is not sent.
    if (codec_ == Codec::kSnappy) codec_ = victoria_ ? Codec::kZstd : Codec::kGzip;
  }

  Group group_of(const Event&) override { return 0; }
  std::string name_of(Group) const override { return std::string(kGroupName); }
  Group group_named(std::string_view) override { return 0; }
  void encode(const Event& event, std::string& out) const override { items_.encode(event, out); }
  std::string coding() const override {
    return victoria_ ? "jsonline/victorialogs" : "jsonline/http";
  }
  Codec codec() const override { return codec_; }
  Framed frame(Group, std::string_view items) const override {
    return {compressor_.compress(codec_, items), codec_};
  }
  HttpRequest request(Group group, std::string body, unsigned attempt) const override;
  Verdict judge(const HttpAnswer& answer, std::span<const Item> items,
                std::string_view bytes) const override;
  std::string text_of(std::string_view item) const override { return items_.text_of(item); }

 private:
  std::string insert_url(std::string base) const;

  bool victoria_;
  mutable internal::JsonlineItems items_;  // Remembers what does not change from line to line.
  SinkSpec spec_;
  std::string secret_;
  Codec codec_;
  mutable Compressor compressor_;
};

std::string JsonlineSink::insert_url(std::string base) const {
  while (base.ends_with('/')) base.pop_back();
  if (!base.ends_with(kInsertPath)) base += kInsertPath;
  base += "?_stream_fields=app,host,stream,namespace,env";
  for (const std::string& name : items_.extra_names()) (base += ',') += name;  // Letters only.
  return base + "&_time_field=_time&_msg_field=_msg";
}

HttpRequest JsonlineSink::request(Group, std::string body, unsigned attempt) const {
  std::string url = spec_.urls[attempt % spec_.urls.size()];
  HttpRequest request = internal::make_request(
      spec_, secret_, victoria_ ? insert_url(std::move(url)) : std::move(url));
  const auto set_unless_given = [&](std::string_view name, std::string value) {
    if (!value.empty() && !spec_.headers.contains(std::string(name)))
      internal::set_header(request, name, std::move(value));
  };
  set_unless_given("Content-Type", victoria_ ? "application/stream+json" : "application/x-ndjson");
  internal::set_header(request, "Content-Encoding", std::string(content_encoding(codec_)));
  if (codec_ == Codec::kNone) request.headers.pop_back();
  if (victoria_ && !spec_.tenant.empty()) {
    const auto colon = spec_.tenant.find(':');
    set_unless_given("AccountID", spec_.tenant.substr(0, colon));
    set_unless_given("ProjectID",
                     colon == std::string::npos ? "0" : spec_.tenant.substr(colon + 1));
  } else if (!spec_.tenant.empty()) {
    set_unless_given("X-Scope-OrgID", spec_.tenant);
  }
  request.body = std::move(body);
  return request;
}

Verdict JsonlineSink::judge(const HttpAnswer& answer, std::span<const Item> items,
                            std::string_view) const {
  // A tenant that cannot be read is a setting, and no line's fault.
  const bool tenant = answer.body.find("tenantID") != std::string::npos ||
                      answer.body.find("AccountID") != std::string::npos ||
                      answer.body.find("ProjectID") != std::string::npos;
  if (victoria_ && answer.status == 400 && tenant) return internal::blocked(answer);
  return internal::judge_status(answer, items.size());
}

}  // namespace

std::unique_ptr<Sink> make_jsonline_sink(SinkContext context) {
  return std::make_unique<JsonlineSink>(std::move(context));
}

}  // namespace pmx::ship
