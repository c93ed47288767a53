// What all events of one log have in common in Elasticsearch and OpenSearch, for as long as their
// index is the same: its name, the fields that are in every document, ready to be appended.
//
// Eight instances of an app take turns line by line, so it is kept for each log, not for the last.
//
// Owns:   copies; an Origin may change or go between two calls, it is compared by what it says.
// Thread: ship.
// Bounds: kMaxTargets are kept, then it begins anew.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/sink_spec.h"
#include "ship/bulk_index.h"
#include "ship/event.h"

namespace pmx::ship {

struct BulkTarget {
  Origin origin;
  std::int64_t period = 0;
  std::string index;
  std::optional<std::uint32_t> group;  // The sink's number for `index`, once it was asked.
  std::uint32_t id_salt = 0;           // Of log and host: two hosts have logs of the same name.

  std::string service;  // ,"service":{"name":"api" and so on, open for "node".
  std::string rest;     // },"host":{…} up to the labels.
  // The same for a record that is already ECS, one by one: path, and ,"path":"value".
  std::vector<std::pair<std::string, std::string>> fields;
  bool in_data_stream = false;  // "data_stream" is among them: no other value would be taken.
};

class BulkTargets {
 public:
  static constexpr std::size_t kMaxTargets = 1024;

  explicit BulkTargets(const SinkSpec& spec);
  // Valid until the next call.
  BulkTarget& of(const Event& event);
  // A key under "labels": ECS wants no dots in it.
  static std::string label_key(std::string_view key);
  const std::map<std::string, std::string>& labels() const { return labels_; }

 private:
  void make(BulkTarget& target, const Event& event) const;

  BulkIndex index_;
  std::map<std::string, std::string> labels_;  // Static ones.
  bool data_stream_;
  bool labels_open_;  // Labels of the line's own follow: `rest` ends without them.
  std::unordered_map<LogId, BulkTarget> targets_;
};

}  // namespace pmx::ship
