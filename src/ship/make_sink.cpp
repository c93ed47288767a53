#include "ship/make_sink.h"

#include "ship/bulk_sink.h"
#include "ship/curl_transport.h"
#include "ship/file_sink.h"
#include "ship/file_transport.h"
#include "ship/json_fields.h"
#include "ship/jsonline_sink.h"
#include "ship/loki_sink.h"

namespace pmx::ship {
namespace {

// Lines of which labels are made are few; each is read once a label.
class FieldsOfLine {
 public:
  std::optional<std::string_view> operator()(std::string_view line, std::string_view key) const {
    (void)reader_->read(line);
    return reader_->value(key);
  }

 private:
  std::shared_ptr<JsonReader> reader_ = std::make_shared<JsonReader>();  // std::function copies.
};

}  // namespace

std::unique_ptr<Sink> make_sink(SinkContext context) {
  if (!context.field_of) context.field_of = FieldsOfLine();
  switch (context.spec.type) {
    case SinkType::kLoki:
      return make_loki_sink(std::move(context));
    case SinkType::kElasticsearch:
    case SinkType::kOpenSearch:
      return make_bulk_sink(std::move(context));
    case SinkType::kVictoriaLogs:
    case SinkType::kHttp:
      return make_jsonline_sink(std::move(context));
    case SinkType::kFile:
      return make_file_sink(std::move(context));
  }
  return nullptr;
}

Result<std::unique_ptr<HttpTransport>> make_transport(EventLoop& loop, Fs& files,
                                                      const SinkSpec& spec) {
  if (spec.type == SinkType::kFile)
    return std::unique_ptr<HttpTransport>(std::make_unique<FileTransport>(
        files, [&loop](std::function<void()> call) { loop.post(std::move(call)); },
        FileTransport::Options()));
  auto curl = PMX_TRY(CurlTransport::create(loop, spec.tls, "pmx/" PMX_VERSION));
  return std::unique_ptr<HttpTransport>(std::move(curl));
}

}  // namespace pmx::ship
