#include "config/internal/yaml.h"

#include <yaml-cpp/yaml.h>

#include <charconv>

namespace pmx::config {
namespace {

// Anchors can make a document of a few lines grow without end ("billion laughs").
constexpr std::size_t kMostNodes = 100'000;
constexpr int kDeepest = 64;

struct Converter {
  std::size_t nodes = 0;

  Result<Json> convert(const YAML::Node& node, int depth) {
    if (++nodes > kMostNodes || depth > kDeepest) return invalid("it is too large or too deep");
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return scalar(node);
      case YAML::NodeType::Sequence: {
        Json items = Json::array();
        for (const auto& item : node) items.push_back(PMX_TRY(convert(item, depth + 1)));
        return items;
      }
      case YAML::NodeType::Map:
        return map(node, depth);
      default:
        return Json();
    }
  }

  Result<Json> map(const YAML::Node& node, int depth) {
    Json members = Json::object();
    // Merged keys first: the map's own stand over them, and the first of several merges wins.
    for (const auto& entry : node) {
      if (entry.first.Scalar() != "<<" || entry.first.Tag() == "!") continue;
      const Json merged = PMX_TRY(convert(entry.second, depth + 1));
      const Json::Array sources = merged.is_array() ? merged.items() : Json::Array{merged};
      for (const Json& source : sources)
        for (const auto& [key, value] : source.members())
          if (members.find(key) == nullptr) members.set(key, value);
    }
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return invalid("a key is not plain text");
      if (entry.first.Scalar() == "<<" && entry.first.Tag() != "!") continue;
      members.set(entry.first.Scalar(), PMX_TRY(convert(entry.second, depth + 1)));
    }
    return members;
  }

  static Json scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!" || node.Tag().ends_with(":str")) return text;  // Quoted, or !!str.
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
      return {};
    if (text == "true" || text == "True" || text == "TRUE") return true;
    if (text == "false" || text == "False" || text == "FALSE") return false;
    const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
    const char* end = text.data() + text.size();
    std::int64_t integer = 0;
    int base = 10;
    if (text.starts_with("0x")) base = 16;
    if (text.starts_with("0o")) base = 8;
    const auto whole = std::from_chars(base == 10 ? begin : begin + 2, end, integer, base);
    if (whole.ec == std::errc() && whole.ptr == end) return integer;
    double number = 0;
    const bool numeric = text[0] != 'i' && text[0] != 'n' && text[0] != 'I' && text[0] != 'N';
    const auto real = std::from_chars(begin, end, number);
    if (numeric && real.ec == std::errc() && real.ptr == end) return number;
    return text;
  }
};

}  // namespace

Result<Json> yaml_value(const std::string& text) {
  try {
    return Converter().convert(YAML::Load(text), 0);
  } catch (const YAML::Exception& e) {
    return invalid("line " + std::to_string(e.mark.line + 1) + ": " + e.msg);
  }
}

}  // namespace pmx::config
