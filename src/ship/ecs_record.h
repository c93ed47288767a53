// Which fields a line has that is already a record of the Elastic Common Schema, so that ours can
// be put behind them without writing it anew and without a name that is there twice (Elasticsearch
// refuses a document with a duplicate key).
//
// A field may be spelt "service.name", or "name" inside "service", or in part: to Elasticsearch
// these are one. Looked into are only those objects in which we have fields.
//
// Thread: one at a time an object (it keeps its memory).
// Bounds: kMaxFields names, kMaxPathBytes of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pmx::ship {

class EcsRecord {
 public:
  static constexpr std::size_t kMaxFields = 256, kMaxPathBytes = 8192;

  EcsRecord();
  // `object`: one valid JSON object. False: it cannot be told what it has (a key with an escape,
  // more than the bounds), nothing may be added.
  bool read(std::string_view object);
  // Also where a parent of `path` has a value that is no object: adding to it would contradict.
  bool has(std::string_view path) const;

 private:
  struct Field {
    std::string_view path;  // Into paths_, which never grows beyond its first memory.
    bool object = false;
  };
  bool read_object(std::string_view& rest, std::string_view parent);
  bool add(std::string_view parent, std::string_view key);

  std::string paths_;
  std::vector<Field> fields_;
};

}  // namespace pmx::ship
