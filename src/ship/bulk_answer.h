// What an answer of `_bulk` means, item by item. The rules are one table in bulk_answer.cpp.
//
// Three kinds of refusal, because the wrong one loses lines or stops them for ever: of the line
// (never: dead letters), for now (again), and of everything until somebody acts (held: no index, no
// right, no pipeline, no room for another shard).
//
// A document that the store put into its failure store (Elasticsearch 9.1) is delivered: it is kept
// there, with its error, and sent again it would be kept twice. It has kFailureStore as the reason
// of its verdict, so that it can be counted; then the answer is kItems although all are delivered.
//
// Thread: any; nothing is kept between calls.
#pragma once

#include <cstddef>
#include <string_view>

#include "ship/http_transport.h"
#include "ship/sink.h"

namespace pmx::ship {

inline constexpr std::string_view kFailureStore = "failure store";

// Of a request of `items` items.
Verdict judge_bulk(const HttpAnswer& answer, std::size_t items);

}  // namespace pmx::ship
