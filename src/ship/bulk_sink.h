// Elasticsearch and OpenSearch by POST /<index>/_bulk: `create` with an `_id` that follows from the
// event, so that a line which is sent again is answered with 409 and is there once.
//
// A group is an index or a data stream (bulk_index.h), an item an action and a source line
// (bulk_item.h), an answer is judged item by item (bulk_answer.h). There is no prefix: the index is
// in the path. Bodies are gzip (level 1) unless the spec says "none": the stores take no other.
//
// Several hosts: groups begin at different ones; every attempt after the first goes to the next,
// and the group stays with it, so that a host that does not answer is asked once a round.
//
// Thread: ship.
// Bounds: a group for each name that was ever seen; 24 a day and app where the index goes by hours.
#pragma once

#include <memory>

#include "ship/bulk_item.h"
#include "ship/sink.h"

namespace pmx::ship {

std::unique_ptr<Sink> make_bulk_sink(SinkContext context);  // With JsonReader.
std::unique_ptr<Sink> make_bulk_sink(SinkContext context, LineFields fields);

}  // namespace pmx::ship
