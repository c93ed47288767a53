#include "ship/internal/letter_account.h"

#include <cstdio>
#include <utility>

#include "ship/sink_names.h"

namespace pmx::ship::internal {
namespace {

std::uint64_t number(const Json& json) { return static_cast<std::uint64_t>(json.as_int()); }

// null: there is none, or what is there is none.
Result<Json> read(Fs& files, const std::string& path) {
  const auto text = files.read_file(path);
  if (!text && text.error().code() == Errc::kNotFound) return Json();
  if (!text) return text.error();
  return Json::parse(*text).value_or(Json());
}

// A user's name of a sink as a file's: no way out of the directory, and no two become one.
std::string file_name(std::string_view sink_name) {
  std::string name;
  for (const char c : sink_name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || (c == '.' && !name.empty());
    if (plain) {
      name += c;
      continue;
    }
    char code[4];
    std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    name += code;
  }
  return name + ".ndjson";
}

Result<bool> has_letters(Fs& files, const std::string& path) {
  for (const char* const ending : {"", ".1"}) {
    const auto info = files.info(path + ending);
    if (!info && info.error().code() != Errc::kNotFound) return info.error();
    if (info && info->size_bytes > 0) return true;
  }
  return false;
}

}  // namespace

// A sink keeps the file that it once had. A file of which nobody has said whose it is, of an older
// version, is the first one's who asks.
Result<std::string> letters_path(Fs& files, const std::string& directory, const std::string& name,
                                 const std::string& id, bool name_is_shared) {
  const std::string simple = directory + "/" + file_name(name);
  const std::string own = directory + "/" + file_name(full_name(name, id));
  if (PMX_TRY(has_letters(files, own))) return own;
  const Json account = PMX_TRY(read(files, simple + kAccountEnding));
  const std::string& owner = account["sink"].as_string();
  if (owner == id) return simple;
  const bool in_use = PMX_TRY(has_letters(files, simple));
  if (!owner.empty()) return in_use || name_is_shared ? own : simple;
  return in_use || !name_is_shared ? simple : own;
}

Result<void> LetterAccount::load() {
  const Json json = PMX_TRY(read(files_, path_));
  const std::string& owner = json["sink"].as_string();
  if (!owner.empty() && owner != sink_) return {};  // It has left the file to us, empty.
  claimed_ = owner == sink_;
  dropped_ = number(json["dropped"]);
  const Json& dropping = json["dropping"];
  if (dropping.is_null()) return {};
  open_ = true;
  const auto old = files_.info(old_path_);
  if (!old && old.error().code() != Errc::kNotFound) return old.error();
  const bool still_there = old && old->inode == number(dropping["inode"]);
  if (!still_there) dropped_ += number(dropping["letters"]);
  (void)settle();  // Else when it must be: until then the answer is the same.
  return {};
}

Result<void> LetterAccount::claim() { return claimed_ ? Result<void>() : write(); }

Result<void> LetterAccount::will_drop(std::uint64_t letters) {
  const FileInfo old = PMX_TRY(files_.info(old_path_));
  PMX_TRY(write(Json::object({{"letters", letters}, {"inode", old.inode}})));
  dropping_ = letters;
  open_ = true;
  return {};
}

void LetterAccount::have_dropped() {
  dropped_ += std::exchange(dropping_, 0);
  (void)settle();
}

Result<void> LetterAccount::settle() {
  if (!open_) return {};
  PMX_TRY(write());
  open_ = false;
  return {};
}

Result<void> LetterAccount::write(const Json& dropping) {
  Json json = Json::object({{"sink", sink_}, {"dropped", dropped_}});
  if (!dropping.is_null()) json.set("dropping", dropping);
  PMX_TRY(files_.replace_file(path_, json.dump() + '\n', 0600, Fs::Sync::kYes));
  claimed_ = true;
  return {};
}

}  // namespace pmx::ship::internal
