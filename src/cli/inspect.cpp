// Follows lib/internal/util/inspect.js of Node 20 with its defaults: compact 3, breakLength 80, at
// most 100 array items and 10,000 characters of a string. What is to fit a line is measured in
// UTF-16 units there, and only what stands in columns in columns of a terminal.
#include "cli/inspect.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include "base/units.h"
#include "cli/js_literal.h"
#include "cli/text_table.h"

namespace pmx::cli {
namespace {

constexpr std::size_t kBreakLength = 80;
constexpr int kCompact = 3;
constexpr std::size_t kMinLineWidth = 16;
constexpr std::size_t kMostItems = 100;
constexpr std::size_t kMostCharacters = 10'000;
constexpr std::size_t kFewestGrouped = 7;

bool is_identifier(std::string_view key) {
  const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  return !key.empty() && !std::isdigit(static_cast<unsigned char>(key[0])) &&
         std::all_of(key.begin(), key.end(), fits);
}

std::string name_of(const std::string& key) {
  if (key == "__proto__") return "['__proto__']";
  return is_identifier(key) ? key : js_string(key);
}

// Whole numbers below 2^32 - 1 are indices for JavaScript.
std::optional<std::int64_t> index_of(std::string_view key) {
  if (key.empty() || key[0] < '0' || key[0] > '9') return {};
  const Result<std::int64_t> number = parse_integer(key);
  if (!number || *number < 0 || *number >= 0xFFFF'FFFF || std::to_string(*number) != key) return {};
  return *number;
}

// As JavaScript keeps them: indices first and by their value, then the names as they came.
std::vector<const Json::Member*> in_order(const Json::Object& members) {
  std::map<std::int64_t, const Json::Member*> indices;
  std::vector<const Json::Member*> names;
  for (const Json::Member& member : members) {
    if (const auto index = index_of(member.first))
      indices[*index] = &member;
    else
      names.push_back(&member);
  }
  std::vector<const Json::Member*> ordered;
  for (const auto& [index, member] : indices) ordered.push_back(member);
  ordered.insert(ordered.end(), names.begin(), names.end());
  return ordered;
}

class Inspector {
 public:
  std::string format(const Json& value, int depth) {
    if (value.is_string()) return string(value.as_string());
    if (value.is_number()) return js_number(value.as_double());
    if (!value.is_array() && !value.is_object()) return value.dump();
    if (value.items().empty() && value.members().empty()) return value.is_array() ? "[]" : "{}";
    current_depth_ = depth;
    std::vector<std::string> output;
    const std::size_t shown = std::min(value.items().size(), kMostItems);
    indent_ += 2;
    for (std::size_t i = 0; i < shown; ++i) output.push_back(format(value.items()[i], depth + 1));
    for (const Json::Member* member : in_order(value.members()))
      output.push_back(name_of(member->first) + ": " + format(member->second, depth + 1));
    indent_ -= 2;
    if (const std::size_t more = value.items().size() - shown; more > 0)
      output.push_back("... " + std::to_string(more) + " more item" + (more > 1 ? "s" : ""));
    return reduce(std::move(output), value, depth);
  }

 private:
  std::string string(const std::string& whole) const {
    const std::size_t length = js_length(whole);
    std::string trailer;
    if (length > kMostCharacters) {
      const std::size_t more = length - kMostCharacters;
      trailer = "... " + std::to_string(more) + " more character" + (more > 1 ? "s" : "");
    }
    const std::string shown = trailer.empty() ? whole : js_prefix(whole, kMostCharacters);
    if (length <= kMinLineWidth || length + indent_ + 4 <= kBreakLength)
      return js_string(shown) + trailer;
    std::string out;
    for (std::string_view text = shown; !text.empty();) {
      const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
      if (!out.empty()) out += " +\n" + std::string(indent_ + 2, ' ');
      out += js_string(text.substr(0, end));
      text.remove_prefix(end);
    }
    return out + trailer;
  }

  std::string reduce(std::vector<std::string> output, const Json& value, int depth) const {
    const char* braces = value.is_array() ? "[]" : "{}";
    const std::size_t entries = output.size();
    if (value.is_array() && entries >= kFewestGrouped) output = grouped(std::move(output), value);
    if (current_depth_ - depth < kCompact && entries == output.size() && fits(output)) {
      const std::string line = joined(output, ", ");
      if (line.find('\n') == std::string::npos)
        return std::string(1, braces[0]) + " " + line + " " + braces[1];
    }
    const std::string margin = "\n" + std::string(indent_, ' ');
    return std::string(1, braces[0]) + margin + "  " + joined(output, "," + margin + "  ") +
           margin + braces[1];
  }

  static std::string joined(const std::vector<std::string>& parts, const std::string& separator) {
    std::size_t size = 0;
    for (const std::string& part : parts) size += part.size() + separator.size();
    std::string out;
    out.reserve(size);
    for (const std::string& part : parts) {
      if (!out.empty()) out += separator;
      out += part;
    }
    return out;
  }

  bool fits(const std::vector<std::string>& output) const {
    std::size_t total = output.size() + output.size() + indent_ + 1 + 10;
    for (const std::string& part : output) {
      total += js_length(part);
      if (total > kBreakLength) return false;
    }
    return true;
  }

  // Long arrays of short items stand in columns.
  std::vector<std::string> grouped(std::vector<std::string> output, const Json& value) const {
    constexpr std::size_t kSeparator = 2;
    const bool cut = value.items().size() > kMostItems;
    const std::size_t count = output.size() - (cut ? 1 : 0);
    std::vector<std::size_t> lengths(count);
    std::size_t total = 0, longest = 0;
    for (std::size_t i = 0; i < count; ++i) {
      lengths[i] = display_width(output[i]);
      total += lengths[i] + kSeparator;
      longest = std::max(longest, lengths[i]);
    }
    const std::size_t cell = longest + kSeparator;
    if (cell * 3 + indent_ >= kBreakLength ||
        !(static_cast<double>(total) / static_cast<double>(cell) > 5 || longest <= 6))
      return output;
    const double bias = std::sqrt(static_cast<double>(cell) -
                                  static_cast<double>(total) / static_cast<double>(output.size()));
    const double biased = std::max(static_cast<double>(cell) - 3 - bias, 1.0);
    const std::size_t columns = std::min(
        {static_cast<std::size_t>(
             std::round(std::sqrt(2.5 * biased * static_cast<double>(count)) / biased)),
         (kBreakLength - indent_) / cell, static_cast<std::size_t>(kCompact) * 4, std::size_t{15}});
    if (columns <= 1) return output;
    return in_columns(output, lengths, columns, value, cut);
  }

  static std::vector<std::string> in_columns(const std::vector<std::string>& output,
                                             const std::vector<std::size_t>& lengths,
                                             std::size_t columns, const Json& value, bool cut) {
    std::vector<std::size_t> widths(columns, 0);
    for (std::size_t i = 0; i < lengths.size(); ++i)
      widths[i % columns] = std::max(widths[i % columns], lengths[i]);
    // One more item than is shown is looked at, where there are more.
    const auto looked_at = static_cast<std::ptrdiff_t>(output.size());
    const bool numbers = std::all_of(value.items().begin(), value.items().begin() + looked_at,
                                     [](const Json& item) { return item.is_number(); });
    std::vector<std::string> rows;
    for (std::size_t i = 0; i < lengths.size(); i += columns) {
      const std::size_t end = std::min(i + columns, lengths.size());
      std::string row;
      for (std::size_t j = i; j < end; ++j) {
        const bool last = j + 1 == end;
        const std::string pad(widths[j - i] - lengths[j], ' ');
        if (numbers)
          row += pad + output[j] + (last ? "" : ", ");
        else
          row += output[j] + (last ? "" : ", " + pad);
      }
      rows.push_back(std::move(row));
    }
    if (cut) rows.push_back(output.back());
    return rows;
  }

  std::size_t indent_ = 0;
  int current_depth_ =
      0;  // Of the object formatted last, which tells how deep the one above nests.
};

}  // namespace

std::string inspect(const Json& value) { return Inspector().format(value, 0); }

}  // namespace pmx::cli
