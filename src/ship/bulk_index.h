// Which index or data stream of Elasticsearch and OpenSearch an event belongs to.
//
// Default: data stream "logs-<app>-<namespace>". Else the user's pattern: strftime's %Y %m %d %H of
// the event's own time in UTC, {app}, {namespace} and {env}; what is not set is "default". From the
// event's time, not from now: `_id` is unique in one index only, so a line that is sent again after
// midnight must meet itself in yesterday's.
//
// A store refuses every line under a name that it does not take, so names are made fit: lower case,
// forbidden characters and what is no ASCII become '_', no '-' in what is filled into a data
// stream's name, at most 100 bytes a filled-in part, 255 in all. (Elasticsearch reference, "Create
// index API", "Data stream naming scheme".)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/sink_spec.h"
#include "ship/event.h"

namespace pmx::ship {

struct DataStreamParts {
  std::string_view type, dataset, space;
};
// "logs-api-default" in parts; nullopt: the name is not made of three.
std::optional<DataStreamParts> data_stream_parts(std::string_view name);

class BulkIndex {
 public:
  explicit BulkIndex(const SinkSpec& spec);
  // Two events of one origin with the same period have the same name.
  std::int64_t period_of(std::int64_t time_ns) const;
  std::string name(const Origin& origin, std::int64_t time_ns) const;

 private:
  std::string pattern_;
  bool data_stream_;
  bool by_time_;
};

}  // namespace pmx::ship
