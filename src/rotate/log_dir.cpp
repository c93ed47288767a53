#include "rotate/log_dir.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "base/json.h"
#include "base/units.h"
#include "model/ids.h"

namespace pmx::rotate {
namespace {

constexpr std::string_view kLogEnding = ".log";
constexpr std::string_view kStampPattern = "0000-00-00T00-00-00Z";  // 0: any digit.
constexpr std::size_t kSegmentDigits = 6;
// A name in a directory has at most 255 bytes; what is put behind the stem needs up to 64.
constexpr std::size_t kMaxStemBytes = 180;

bool has_log_ending(std::string_view path) { return path.ends_with(kLogEnding); }

std::string join(const std::string& directory, std::string_view name) {
  return directory + (directory.ends_with('/') ? "" : "/") + std::string(name);
}

std::string padded(std::uint64_t segment) {
  char text[24];
  std::snprintf(text, sizeof text, "%06llu", static_cast<unsigned long long>(segment));
  return text;
}

bool is_stamp(std::string_view text) {
  if (text.size() != kStampPattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(text[i])) != 0;
    if (kStampPattern[i] == '0' ? !digit : text[i] != kStampPattern[i]) return false;
  }
  return true;
}

// The number whose one way to be written is `text`: a name that we would not write is not ours.
std::optional<std::uint64_t> canonical_segment(std::string_view text) {
  if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0])) == 0) return std::nullopt;
  const auto number = parse_integer(text);
  if (!number || padded(static_cast<std::uint64_t>(*number)) != text) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::optional<std::uint64_t> canonical_number(std::string_view text) {
  if (text.empty() || text[0] < '1' || text[0] > '9') return std::nullopt;
  const auto number = parse_integer(text);
  if (!number) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Whatever keeps a directory from being read may pass; that it is empty would be a guess, and
// lines would be left out, or numbers used twice, for it.
Error unreadable(const Error& error) {
  return {Errc::kUnavailable, error.message(), error.sys_errno()};
}

bool take_ending(std::string_view& text, std::string_view ending) {
  if (!text.ends_with(ending)) return false;
  text.remove_suffix(ending.size());
  return true;
}

}  // namespace

std::string_view extension_of(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "";
    case Compression::kGzip:
      return ".gz";
    case Compression::kZstd:
      return ".zst";
  }
  return "";
}

LogDir::LogDir(std::string state_directory, std::string active_path)
    : active_path_(std::move(active_path)) {
  const std::size_t slash = active_path_.rfind('/');
  directory_ = slash == 0 ? "/" : active_path_.substr(0, slash);
  stem_ = active_path_.substr(slash + 1);
  if (has_log_ending(stem_)) stem_.resize(stem_.size() - kLogEnding.size());
  const std::string id = log_id_of(active_path_).hex();
  if (stem_.size() > kMaxStemBytes) stem_ = stem_.substr(0, kMaxStemBytes) + "-" + id;
  index_directory_ = join(join(state_directory, "logs"), stem_ + "-" + id);
}

std::string LogDir::index_path(std::uint64_t segment) const {
  return index_directory_ + "/" + padded(segment) + ".idx";
}

// "web" and "web.log" may both be logs of one directory and have the same stem. The one without the
// ending has one more zero in front of its segment's number, which the other never has.
std::string LogDir::sealed_path(const SealedName& name) const {
  std::string file_name = stem_ + "__" + name.utc_stamp + "_";
  if (!has_log_ending(active_path_)) file_name += '0';
  file_name += padded(name.segment);
  if (name.number != 0) file_name += "-" + std::to_string(name.number);
  file_name += kLogEnding;
  file_name += extension_of(name.compression);
  return join(directory_, file_name);
}

std::optional<SealedName> LogDir::parse_sealed(std::string_view file_name) const {
  SealedName name;
  for (const Compression packed : {Compression::kGzip, Compression::kZstd})
    if (name.compression == Compression::kNone && take_ending(file_name, extension_of(packed)))
      name.compression = packed;
  if (!take_ending(file_name, kLogEnding) || !take_prefix(file_name, stem_) ||
      !take_prefix(file_name, "__"))
    return std::nullopt;
  name.utc_stamp = file_name.substr(0, kStampPattern.size());
  if (!is_stamp(name.utc_stamp)) return std::nullopt;
  file_name.remove_prefix(kStampPattern.size());
  if (!take_prefix(file_name, "_")) return std::nullopt;
  if (!has_log_ending(active_path_) && !take_prefix(file_name, "0")) return std::nullopt;
  const std::size_t dash = file_name.find('-');
  const auto segment = canonical_segment(file_name.substr(0, dash));
  if (!segment) return std::nullopt;
  name.segment = *segment;
  if (dash != std::string_view::npos) {
    const auto number = canonical_number(file_name.substr(dash + 1));
    if (!number) return std::nullopt;
    name.number = *number;
  }
  return name;
}

Result<std::vector<std::uint64_t>> LogDir::index_segments(Fs& fs) const {
  std::vector<std::uint64_t> segments;
  const auto names = fs.list(index_directory_);
  if (!names && names.error().code() == Errc::kNotFound) return segments;
  if (!names) return unreadable(names.error());
  for (std::string_view name : *names) {
    if (!take_ending(name, ".idx")) continue;
    if (const auto segment = canonical_segment(name)) segments.push_back(*segment);
  }
  std::sort(segments.begin(), segments.end());
  return segments;
}

Result<std::vector<SealedFile>> LogDir::sealed_files(Fs& fs) const {
  const auto names = fs.list(directory_);
  if (!names && names.error().code() == Errc::kNotFound) return std::vector<SealedFile>();
  if (!names) return unreadable(names.error());
  return sealed_files(fs, *names);
}

Result<std::vector<SealedFile>> LogDir::sealed_files(Fs& fs,
                                                     std::span<const std::string> names) const {
  std::vector<SealedFile> files;
  for (const std::string& file_name : names) {
    auto name = parse_sealed(file_name);
    if (!name) continue;
    SealedFile file{std::move(*name), join(directory_, file_name), {}};
    const auto info = fs.info(file.path);
    if (!info && info.error().code() == Errc::kNotFound) continue;  // Packed or retired meanwhile.
    if (!info) return unreadable(info.error());
    if (!info->is_regular) continue;
    file.info = *info;
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(), [](const SealedFile& a, const SealedFile& b) {
    if (a.name.segment != b.name.segment) return a.name.segment < b.name.segment;
    return a.path < b.path;
  });
  return files;
}

Result<std::vector<LogDir>> known_logs(Fs& fs, const std::string& state_directory) {
  std::vector<LogDir> logs;
  const std::string directory = join(state_directory, "logs");
  const auto names = fs.list(directory);
  if (!names && names.error().code() == Errc::kNotFound) return logs;
  if (!names) return names.error();
  for (const std::string& name : *names) {
    // A log whose description is missing or broken is skipped: its files stay, all others are
    // served.
    const auto text = fs.read_file(join(join(directory, name), "log.json"));
    if (!text) continue;
    const auto json = Json::parse(*text);
    if (!json) continue;
    const std::string path = (*json)["path"].as_string();
    if (!path.starts_with('/')) continue;
    LogDir log(state_directory, path);
    if (log.index_directory() != join(directory, name)) continue;  // A copy made by hand.
    logs.push_back(std::move(log));
  }
  std::sort(logs.begin(), logs.end(),
            [](const LogDir& a, const LogDir& b) { return a.active_path() < b.active_path(); });
  return logs;
}

}  // namespace pmx::rotate
