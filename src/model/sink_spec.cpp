#include "model/sink_spec.h"

#include <array>

namespace pmx {

std::string_view name_of(SinkType type) {
  switch (type) {
    case SinkType::kLoki:
      return "loki";
    case SinkType::kElasticsearch:
      return "elasticsearch";
    case SinkType::kOpenSearch:
      return "opensearch";
    case SinkType::kVictoriaLogs:
      return "victorialogs";
    case SinkType::kHttp:
      return "http";
    case SinkType::kFile:
      return "file";
  }
  return "unknown";
}

std::string sink_id(const SinkSpec& spec) {
  std::string all(name_of(spec.type));
  for (const std::string& url : spec.urls) all += '\n' + url;
  for (const std::string* part : {&spec.index, &spec.tenant, &spec.auth.user, &spec.name})
    all += '\n' + *part;
  return log_id_of(all).hex();  // The same hash, of another text.
}

}  // namespace pmx
