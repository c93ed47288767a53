// The files are read by people, with jq and grep, so they are plain lines and not pages of records.
// That is also what makes them safe: a line is whole when it ends in "}\n", since a letter is a flat
// object that has no newline in it, and whatever else a kill left behind is skipped.
#include "ship/dead_letter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/json.h"
#include "base/time_text.h"

namespace pmx::ship {
namespace {

constexpr std::size_t kChunkBytes = 256U << 10U;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// "2026-11-23T10:00:00.123456789Z".
std::string rfc3339(std::int64_t time_ns) {
  char fraction[12];
  std::snprintf(fraction, sizeof fraction, "%09dZ", static_cast<int>(time_ns % kNsPerSecond));
  return iso_time(time_ns).substr(0, 20) + fraction;
}

std::optional<std::int64_t> parse_rfc3339(const std::string& text) {
  if (text.size() != 30 || text[19] != '.' || text[29] != 'Z') return std::nullopt;
  const auto seconds = parse_time(text.substr(0, 19) + "Z", 0);
  std::int64_t fraction = 0;
  const auto read = std::from_chars(text.data() + 20, text.data() + 29, fraction);
  if (!seconds || read.ptr != text.data() + 29 || fraction < 0) return std::nullopt;
  return *seconds + fraction;
}

void append_line(std::string& out, const DeadLetter& letter) {
  const Json object = Json::object({{"time", rfc3339(letter.time_ns)},
                                    {"app", letter.app},
                                    {"stream", letter.stream},
                                    {"status", letter.status},
                                    {"reason", letter.reason},
                                    {"store", letter.store},
                                    {"line", letter.line},
                                    {"seq", letter.seq},
                                    {"lines", letter.lines},
                                    {"log", letter.log.hex()},
                                    {"coding", letter.coding},
                                    {"item", base64_encode(letter.item)},
                                    {"group", letter.group}});
  out += object.dump();
  out += '\n';
}

std::optional<DeadLetter> parse_line(std::string_view line) {
  const auto object = Json::parse(line);
  if (!object || !object->is_object()) return std::nullopt;
  const Json& found = *object;
  const auto time_ns = parse_rfc3339(found["time"].as_string());
  auto item = base64_decode(found["item"].as_string());
  const std::string& log = found["log"].as_string();
  DeadLetter letter;
  const auto read = std::from_chars(log.data(), log.data() + log.size(), letter.log.value, 16);
  if (!time_ns || !item || log.empty() || read.ptr != log.data() + log.size()) return std::nullopt;
  letter.time_ns = *time_ns;
  letter.app = found["app"].as_string();
  letter.stream = found["stream"].as_string();
  letter.status = static_cast<int>(found["status"].as_int());
  letter.reason = found["reason"].as_string();
  letter.store = found["store"].as_string();
  letter.line = found["line"].as_string();
  letter.seq = static_cast<std::uint64_t>(found["seq"].as_int());
  letter.lines = static_cast<std::uint32_t>(found["lines"].as_int(1));
  letter.item = std::move(item).value();
  letter.coding = found["coding"].as_string();
  letter.group = found["group"].as_string();
  return letter;
}

// Counts the letters of a file that comes in chunks.
class LetterCount {
 public:
  void add(std::string_view chunk) {
    for (std::size_t at = chunk.find('\n'); at != chunk.npos; at = chunk.find('\n', at + 1))
      letters_ += (at == 0 ? last_ : chunk[at - 1]) == '}';
    if (!chunk.empty()) last_ = chunk.back();
  }
  std::uint64_t letters() const { return letters_; }

 private:
  std::uint64_t letters_ = 0;
  char last_ = '\0';
};

}  // namespace

DeadLetters::DeadLetters(Fs& files, std::string directory, std::string path, std::string sink,
                         std::uint64_t max_bytes)
    : files_(files),
      directory_(std::move(directory)),
      max_bytes_(max_bytes),
      account_(files, path + internal::kAccountEnding, path + ".1", std::move(sink)) {
  old_.path = path + ".1";
  current_.path = std::move(path);
}

Result<std::unique_ptr<DeadLetters>> DeadLetters::open(Fs& files, const std::string& home,
                                                       const Owner& owner,
                                                       std::uint64_t max_bytes) {
  const std::string directory = home + "/dead";
  PMX_TRY(files.make_directories(directory, 0700));
  const std::string path =
      PMX_TRY(internal::letters_path(files, directory, owner.name, owner.id, owner.name_is_shared));
  std::unique_ptr<DeadLetters> letters(
      new DeadLetters(files, directory, path, owner.id, max_bytes));
  PMX_TRY(letters->account_.load());
  PMX_TRY(letters->find(letters->old_));
  PMX_TRY(letters->find(letters->current_));
  // Else with the first letter, or on a disk that has room again.
  if (letters->end() > 0) (void)letters->account_.claim();
  PMX_TRY(letters->find_torn_line());
  return letters;
}

Result<void> DeadLetters::find(Half& half) {
  const auto info = files_.info(half.path);
  if (!info && info.error().code() == Errc::kNotFound) return {};
  if (!info) return Error(info.error());
  half.size_bytes = info->size_bytes;
  const auto file = PMX_TRY(files_.open(half.path, OpenMode::kRead));
  LetterCount count;
  std::string chunk(std::min<std::uint64_t>(kChunkBytes, half.size_bytes), '\0');
  for (std::uint64_t at = 0; at < half.size_bytes;) {
    const std::size_t n = PMX_TRY(file->pread_all(chunk, at));
    if (n == 0) break;
    count.add(std::string_view(chunk).substr(0, n));
    at += n;
  }
  half.letters = count.letters();
  return {};
}

Result<void> DeadLetters::find_torn_line() {
  if (current_.size_bytes == 0) return {};
  const auto file = PMX_TRY(files_.open(current_.path, OpenMode::kRead));
  std::array<char, 1> last{};
  PMX_TRY(file->pread_all(last, current_.size_bytes - 1));
  if (last[0] == '\n') return {};
  ++counts_.torn;
  unended_ = true;
  (void)write("");  // A full disk does not keep a sink from starting: the next append ends it.
  return {};
}

Result<void> DeadLetters::open_current() {
  if (file_) return {};
  file_ = PMX_TRY(files_.open(current_.path, OpenMode::kAppend, 0600));
  unnamed_ = unnamed_ || current_.size_bytes == 0;
  return {};
}

Result<void> DeadLetters::append(std::span<const DeadLetter> letters) {
  if (letters.empty()) return {};
  std::string lines;
  for (const DeadLetter& letter : letters) append_line(lines, letter);
  if (current_.size_bytes > 0 && current_.size_bytes + lines.size() > max_bytes_ / 2)
    PMX_TRY(rotate());
  PMX_TRY(write(lines));
  current_.letters += letters.size();
  counts_.appended += letters.size();
  return {};
}

// Whole lines in one write(2). Where the disk takes a part of them, that part is taken back.
Result<void> DeadLetters::write(std::string_view bytes) {
  PMX_TRY(account_.claim());
  PMX_TRY(open_current());
  if (ragged_) PMX_TRY(file_->truncate(current_.size_bytes));
  ragged_ = false;
  std::string ended;
  if (unended_) {
    ended = "\n" + std::string(bytes);
    bytes = ended;
  }
  for (std::size_t done = 0; done < bytes.size();) {
    const iovec rest{const_cast<char*>(bytes.data()) + done, bytes.size() - done};
    const auto n = file_->writev({&rest, 1});
    if (!n) {
      ragged_ = done > 0 && !file_->truncate(current_.size_bytes);
      return Error(n.error());
    }
    done += *n;
  }
  unended_ = false;
  current_.size_bytes += bytes.size();
  return {};
}

Result<void> DeadLetters::rotate() {
  if (ragged_) PMX_TRY(file_->truncate(current_.size_bytes));
  ragged_ = false;
  PMX_TRY(sync());
  if (old_.letters > 0) PMX_TRY(account_.will_drop(old_.letters));
  PMX_TRY(files_.rename(current_.path, old_.path));
  if (old_.letters > 0) account_.have_dropped();
  file_.reset();
  unended_ = false;  // read() skips the end of a file that is no line.
  begin_ += old_.size_bytes;
  old_.size_bytes = std::exchange(current_.size_bytes, 0);
  old_.letters = std::exchange(current_.letters, 0);
  return {};
}

Result<void> DeadLetters::sync() {
  if (file_) PMX_TRY(file_->sync_data());
  if (unnamed_) PMX_TRY(files_.sync_directory(directory_));
  unnamed_ = false;
  return {};
}

// From `offset`, which a line begins at: as many whole lines as fit, at least one. A last line
// without an end comes too.
Result<std::string> DeadLetters::read_lines(const Half& half, std::uint64_t offset,
                                            std::size_t max_bytes) {
  const auto file = PMX_TRY(files_.open(half.path, OpenMode::kRead));
  std::string text;
  while (offset + text.size() < half.size_bytes) {
    const std::size_t before = text.size();
    const std::uint64_t left = half.size_bytes - offset - before;
    text.resize(before + std::min<std::uint64_t>(left, std::max<std::size_t>(max_bytes, 1)));
    const std::size_t n =
        PMX_TRY(file->pread_all(std::span(text).subspan(before), offset + before));
    text.resize(before + n);
    if (n == 0) return corrupt(half.path + " is shorter than it was: somebody else cut it");
    if (offset + text.size() == half.size_bytes) break;
    if (const std::size_t end = text.rfind('\n'); end != text.npos) {
      text.resize(end + 1);
      break;
    }
  }
  return text;
}

Result<DeadLetters::Page> DeadLetters::read(Place from, std::size_t max_bytes) {
  Page page;
  page.next = std::clamp(from, begin(), end());
  while (page.entries.empty() && page.next < end()) {
    const Place old_end = begin_ + old_.size_bytes;
    const bool in_old = page.next < old_end;
    const std::string text = PMX_TRY(in_old ? read_lines(old_, page.next - begin_, max_bytes)
                                            : read_lines(current_, page.next - old_end, max_bytes));
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t newline = std::min(text.find('\n', at), text.size() - 1);
      auto letter = parse_line(std::string_view(text).substr(at, newline + 1 - at));
      const Place behind = page.next + newline + 1;
      at = newline + 1;
      if (letter) {
        page.entries.push_back({std::move(*letter), behind});
      } else {
        ++page.skipped;
      }
      if (at == text.size()) page.next = behind;
    }
  }
  return page;
}

// What is behind the first `bytes` goes to a new file, in chunks: half of the bound is more memory
// than a daemon should use. Answers how many letters that is.
Result<std::uint64_t> DeadLetters::copy_rest(const Half& half, std::uint64_t bytes,
                                             const std::string& to_path) {
  const auto from = PMX_TRY(files_.open(half.path, OpenMode::kRead));
  const auto to = PMX_TRY(files_.open(to_path, OpenMode::kCreateNew, 0600));
  std::string chunk(std::min<std::uint64_t>(kChunkBytes, half.size_bytes - bytes), '\0');
  LetterCount kept;
  for (std::uint64_t at = bytes; at < half.size_bytes;) {
    const std::size_t want = std::min<std::uint64_t>(chunk.size(), half.size_bytes - at);
    const std::size_t n = PMX_TRY(from->pread_all(std::span(chunk).first(want), at));
    if (n == 0) return corrupt(half.path + " is shorter than it was: somebody else cut it");
    PMX_TRY(to->pwrite_all(std::string_view(chunk).substr(0, n), at - bytes));
    kept.add(std::string_view(chunk).substr(0, n));
    at += n;
  }
  PMX_TRY(to->sync_data());
  PMX_TRY(to->close());
  return kept.letters();
}

Result<void> DeadLetters::cut_front(Half& half, std::uint64_t bytes) {
  const std::string temporary = half.path + ".tmp";
  (void)files_.remove(temporary);  // A leftover of a crash; where it cannot go, the copy says why.
  const auto kept = copy_rest(half, bytes, temporary);
  const auto renamed =
      kept ? files_.rename(temporary, half.path) : Result<void>(Error(kept.error()));
  if (!renamed) {
    (void)files_.remove(temporary);  // A full disk needs the space.
    return Error(renamed.error());
  }
  counts_.retried += half.letters - std::min(half.letters, *kept);
  half.letters = *kept;
  half.size_bytes -= bytes;
  begin_ += bytes;
  return {};
}

Result<void> DeadLetters::remove_old() {
  if (old_.size_bytes == 0) return {};
  PMX_TRY(files_.remove(old_.path));
  begin_ += std::exchange(old_.size_bytes, 0);
  counts_.retried += std::exchange(old_.letters, 0);
  return {};
}

Result<void> DeadLetters::empty_current() {
  PMX_TRY(open_current());
  PMX_TRY(file_->truncate(0));
  ragged_ = unended_ = false;
  begin_ += std::exchange(current_.size_bytes, 0);
  counts_.retried += std::exchange(current_.letters, 0);
  return {};
}

Result<void> DeadLetters::take_retried(Place up_to) {
  if (up_to <= begin_) return {};
  if (old_.size_bytes > 0) PMX_TRY(account_.settle());
  if (up_to < begin_ + old_.size_bytes) return cut_front(old_, up_to - begin_);
  PMX_TRY(remove_old());
  if (up_to >= end()) return empty_current();
  if (up_to == begin_) return {};
  PMX_TRY(cut_front(current_, up_to - begin_));
  file_.reset();  // Of the file that the new one replaced; the next append opens that.
  ragged_ = false;
  return {};
}

void DeadLetters::remove_empty() {
  if (begin() != end()) return;
  for (const char* const ending : {"", ".1", internal::kAccountEnding})
    (void)files_.remove(current_.path + ending);
  file_.reset();
}

DeadLetters::Counts DeadLetters::counts() const {
  Counts counts = counts_;
  counts.dropped = account_.dropped();
  counts.waiting = old_.letters + current_.letters;
  counts.waiting_bytes = old_.size_bytes + current_.size_bytes;
  return counts;
}

}  // namespace pmx::ship
