// Loki's label sets: names and values as the store takes them, and the text form
// {app="api", host="web-1"} that is sent and by which people and pmx name a stream.
//
// Rules (Loki's limits.go, Prometheus' data model): names [a-zA-Z_][a-zA-Z0-9_]*, none beginning
// with "__", at most 1024 bytes; values valid UTF-8 of at most 2048 bytes; sorted by name; values
// quoted as Go's strconv.Quote does.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace pmx::ship::internal {

using LabelMap = std::map<std::string, std::string>;

inline constexpr std::size_t kMaxLabelNameBytes = 1024, kMaxLabelValueBytes = 2048;

std::string label_name(std::string_view name);    // Made fit: "k8s.pod" is "k8s_pod". "": no name.
std::string label_value(std::string_view value);  // Cut, and with U+FFFD for what is no UTF-8.
std::string labels_text(const LabelMap& labels);
std::optional<LabelMap> parse_labels(std::string_view text);  // Of what labels_text() made.

// What a field that names one request is called as metadata: as a label it would be a stream for
// each. "": it names none.
std::string_view metadata_name(std::string_view field);

}  // namespace pmx::ship::internal
