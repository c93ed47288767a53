#include "ship/file_sink.h"

#include <utility>

#include "ship/internal/http_words.h"
#include "ship/internal/jsonline_items.h"

namespace pmx::ship {
namespace {

class FileSink final : public Sink {
 public:
  explicit FileSink(SinkContext context)
      : items_(context, {}), url_("file://" + context.spec.urls[0]) {}

  Group group_of(const Event&) override { return 0; }
  std::string name_of(Group) const override { return "lines"; }
  Group group_named(std::string_view) override { return 0; }
  void encode(const Event& event, std::string& out) const override { items_.encode(event, out); }
  std::string coding() const override { return "jsonline/file"; }
  Codec codec() const override { return Codec::kNone; }
  Framed frame(Group, std::string_view items) const override { return {std::string(items)}; }
  HttpRequest request(Group, std::string body, unsigned) const override {
    HttpRequest request;
    request.url = url_;
    request.body = std::move(body);
    return request;
  }
  Verdict judge(const HttpAnswer& answer, std::span<const Item> items,
                std::string_view) const override {
    return internal::judge_status(answer, items.size());
  }
  std::string text_of(std::string_view item) const override { return items_.text_of(item); }

 private:
  mutable internal::JsonlineItems items_;  // Remembers what does not change from line to line.
  std::string url_;
};

}  // namespace

std::unique_ptr<Sink> make_file_sink(SinkContext context) {
  return std::make_unique<FileSink>(std::move(context));
}

}  // namespace pmx::ship
