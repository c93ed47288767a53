#include "http/listing.h"

#include "base/time_text.h"
#include "base/units.h"
#include "http/request_path.h"

namespace pmx::http {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string row(const std::string& href, const std::string& shown, const std::string& size,
                const std::string& modified) {
  return "<tr><td><a href=\"" + href + "\">" + shown + "</a><td>" + size + "<td>" + modified + "\n";
}

}  // namespace

std::string listing_page(const std::string& path, const std::vector<ListedEntry>& entries) {
  const std::string title = "Index of /" + escaped(path) + (path.empty() ? "" : "/");
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
      title +
      "</title>\n<style>body{font-family:monospace;margin:2em}td{padding:0 2em 0 0}"
      "td+td{text-align:right}</style>\n<h1>" +
      title + "</h1>\n<table>\n";
  if (!path.empty()) page += row("../", "../", "", "");
  for (const ListedEntry& entry : entries) {
    const std::string slash = entry.is_folder ? "/" : "";
    // "./": a name with a colon would begin like a scheme.
    page += row("./" + percent_encoded(entry.name) + slash, escaped(entry.name) + slash,
                entry.is_folder ? "" : format_size(entry.size_bytes), iso_time(entry.modified_ns));
  }
  page += "</table>\n";
  if (entries.size() >= ServedFolder::kMostListed)
    page += "<p>Only the first " + std::to_string(entries.size()) + " are shown.\n";
  return page + "</html>\n";
}

}  // namespace pmx::http
