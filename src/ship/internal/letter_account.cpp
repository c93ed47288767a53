#include "ship/internal/letter_account.h"

#include <utility>

#include "base/json.h"

namespace pmx::ship::internal {
namespace {

std::uint64_t number(const Json& json) { return static_cast<std::uint64_t>(json.as_int()); }

}  // namespace

Result<void> LetterAccount::load() {
  const auto text = files_.read_file(path_);
  if (!text && text.error().code() == Errc::kNotFound) return {};
  if (!text) return text.error();
  const auto json = Json::parse(*text);
  if (!json) return {};
  dropped_ = number((*json)["dropped"]);
  const Json& dropping = (*json)["dropping"];
  if (dropping.is_null()) return {};
  open_ = true;
  const auto old = files_.info(old_path_);
  if (!old && old.error().code() != Errc::kNotFound) return old.error();
  const bool still_there = old && old->inode == number(dropping["inode"]);
  if (!still_there) dropped_ += number(dropping["letters"]);
  (void)settle();  // Else when it must be: until then the answer is the same.
  return {};
}

Result<void> LetterAccount::will_drop(std::uint64_t letters) {
  const FileInfo old = PMX_TRY(files_.info(old_path_));
  const Json json =
      Json::object({{"dropped", dropped_},
                    {"dropping", Json::object({{"letters", letters}, {"inode", old.inode}})}});
  PMX_TRY(files_.replace_file(path_, json.dump() + '\n', 0600, Fs::Sync::kYes));
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
  const Json json = Json::object({{"dropped", dropped_}});
  PMX_TRY(files_.replace_file(path_, json.dump() + '\n', 0600, Fs::Sync::kYes));
  open_ = false;
  return {};
}

}  // namespace pmx::ship::internal
