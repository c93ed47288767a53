#include "http/content_type.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace pmx::http {
namespace {

struct Row {
  std::string_view endings;  // Separated by spaces.
  std::string_view type;
};
// The names of IANA's registry where it has one.
constexpr std::array kRows{
    Row{"html htm", "text/html"},
    Row{"css", "text/css"},
    Row{"js mjs cjs", "text/javascript"},
    Row{"json map", "application/json"},
    Row{"webmanifest", "application/manifest+json"},
    Row{"jsonld", "application/ld+json"},
    Row{"geojson", "application/geo+json"},
    Row{"wasm", "application/wasm"},
    Row{"txt text log conf ini", "text/plain"},
    Row{"md markdown", "text/markdown"},
    Row{"csv", "text/csv"},
    Row{"tsv", "text/tab-separated-values"},
    Row{"ics", "text/calendar"},
    Row{"vcf", "text/vcard"},
    Row{"vtt", "text/vtt"},
    Row{"yaml yml", "application/yaml"},
    Row{"xml xsl", "application/xml"},
    Row{"xhtml", "application/xhtml+xml"},
    Row{"rss", "application/rss+xml"},
    Row{"atom", "application/atom+xml"},
    Row{"svg", "image/svg+xml"},
    Row{"png", "image/png"},
    Row{"jpg jpeg", "image/jpeg"},
    Row{"gif", "image/gif"},
    Row{"webp", "image/webp"},
    Row{"avif", "image/avif"},
    Row{"ico", "image/vnd.microsoft.icon"},
    Row{"bmp", "image/bmp"},
    Row{"tif tiff", "image/tiff"},
    Row{"heic", "image/heic"},
    Row{"apng", "image/apng"},
    Row{"woff", "font/woff"},
    Row{"woff2", "font/woff2"},
    Row{"ttf", "font/ttf"},
    Row{"otf", "font/otf"},
    Row{"eot", "application/vnd.ms-fontobject"},
    Row{"mp4 m4v", "video/mp4"},
    Row{"webm", "video/webm"},
    Row{"ogv", "video/ogg"},
    Row{"mov qt", "video/quicktime"},
    Row{"avi", "video/x-msvideo"},
    Row{"mpg mpeg", "video/mpeg"},
    Row{"ts", "video/mp2t"},
    Row{"m3u8", "application/vnd.apple.mpegurl"},
    Row{"mpd", "application/dash+xml"},
    Row{"mp3", "audio/mpeg"},
    Row{"m4a", "audio/mp4"},
    Row{"aac", "audio/aac"},
    Row{"ogg oga opus", "audio/ogg"},
    Row{"wav", "audio/wav"},
    Row{"flac", "audio/flac"},
    Row{"weba", "audio/webm"},
    Row{"mid midi", "audio/midi"},
    Row{"pdf", "application/pdf"},
    Row{"rtf", "application/rtf"},
    Row{"epub", "application/epub+zip"},
    Row{"doc", "application/msword"},
    Row{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    Row{"xls", "application/vnd.ms-excel"},
    Row{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    Row{"ppt", "application/vnd.ms-powerpoint"},
    Row{"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    Row{"odt", "application/vnd.oasis.opendocument.text"},
    Row{"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    Row{"odp", "application/vnd.oasis.opendocument.presentation"},
    Row{"zip", "application/zip"},
    Row{"gz tgz svgz", "application/gzip"},
    Row{"bz2", "application/x-bzip2"},
    Row{"xz", "application/x-xz"},
    Row{"zst", "application/zstd"},
    Row{"7z", "application/x-7z-compressed"},
    Row{"rar", "application/vnd.rar"},
    Row{"tar", "application/x-tar"},
    Row{"jar", "application/java-archive"},
    Row{"apk", "application/vnd.android.package-archive"},
    Row{"glb", "model/gltf-binary"},
    Row{"gltf", "model/gltf+json"},
    Row{"torrent", "application/x-bittorrent"},
    Row{"pem crt cer", "application/x-x509-ca-cert"},
};

bool has_ending(const Row& row, const std::string& ending) {
  return (" " + std::string(row.endings) + " ").find(" " + ending + " ") != std::string::npos;
}

bool is_text(std::string_view type) {
  return type.starts_with("text/") || type.ends_with("json") || type.ends_with("xml") ||
         type == "application/yaml";
}

}  // namespace

std::string content_type(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return "text/plain; charset=utf-8";
  std::string ending(name.substr(dot + 1));
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto* const row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& known) {
    return !ending.empty() && ending.find(' ') == std::string::npos && has_ending(known, ending);
  });
  if (row == kRows.end()) return "application/octet-stream";
  return std::string(row->type) + (is_text(row->type) ? "; charset=utf-8" : "");
}

}  // namespace pmx::http
