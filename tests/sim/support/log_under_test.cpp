#include "sim/support/log_under_test.h"

#include <algorithm>

#include "base/check.h"
#include "rotate/archive.h"

namespace pmx::sim {
namespace {

std::string with_splices(std::string text, const std::vector<LogUnderTest::Splice>& splices) {
  for (auto splice = splices.rbegin(); splice != splices.rend(); ++splice)  // Offsets ascend.
    text.insert(std::min<std::size_t>(splice->offset, text.size()), splice->bytes);
  return text;
}

std::string unpacked(const rotate::SealedFile& file, Fs& fs) {
  if (file.name.compression == Compression::kNone) return fs.read_file(file.path).value_or("");
  std::string text;
  const auto archive = rotate::ArchiveReader::open(fs, file.path);
  if (archive) (void)(*archive)->read(0, (*archive)->text_size_bytes(), text);
  return text;  // What cannot be read is missed by the checker.
}

}  // namespace

bool act_as_user(LogUnderTest& log, UserAct act, std::uint64_t segment, Fs& fs) {
  const std::string& path = log.spec.path;
  const auto info = fs.info(path);
  const std::string text = fs.read_file(path).value_or("");
  if (!info || text.empty() || text.back() != '\n') return false;
  std::vector<LogUnderTest::Splice> splices;
  if (const auto found = log.cut_from_active.find(info->inode); found != log.cut_from_active.end())
    splices = std::move(found->second);
  log.cut_from_active.erase(info->inode);
  ++log.user_acts;
  if (act == UserAct::kRename || act == UserAct::kDelete) {
    log.taken_away.emplace_back(segment, with_splices(text, splices));
    if (act == UserAct::kRename)
      PMX_CHECK(fs.rename(path, path + ".by-user-" + std::to_string(log.user_acts)));
    else
      PMX_CHECK(fs.remove(path));
    return true;
  }
  std::uint64_t size = 0;
  if (act == UserAct::kTruncate) size = text.rfind('\n', text.size() / 2) + 1;  // npos + 1 is 0.
  LogUnderTest::Splice cut{size, ""};
  std::uint64_t at = size;
  std::vector<LogUnderTest::Splice> kept;
  for (LogUnderTest::Splice& splice : splices) {
    if (splice.offset < size) {
      kept.push_back(std::move(splice));
      continue;
    }
    cut.bytes.append(text, at, splice.offset - at).append(splice.bytes);
    at = splice.offset;
  }
  cut.bytes.append(text, at);
  kept.push_back(std::move(cut));
  auto file = fs.open(path, OpenMode::kReadWrite);
  PMX_CHECK(file && (*file)->truncate(size));
  log.cut_from_active[info->inode] = std::move(kept);
  return true;
}

void follow_seals(LogUnderTest& log, const std::string& home, Fs& fs) {
  if (log.cut_from_active.empty()) return;
  const auto sealed = log.dir(home).sealed_files(fs);
  PMX_CHECK(sealed);
  for (const rotate::SealedFile& file : *sealed) {
    const auto cut = log.cut_from_active.find(file.info.inode);
    if (cut == log.cut_from_active.end()) continue;
    log.cut_from_sealed[file.name.segment] = std::move(cut->second);
    log.cut_from_active.erase(cut);
  }
}

std::string all_text(LogUnderTest& log, const std::string& home, Fs& fs) {
  follow_seals(log, home, fs);
  std::map<std::uint64_t, std::string> by_segment;
  const auto sealed = log.dir(home).sealed_files(fs);
  PMX_CHECK(sealed);
  for (const rotate::SealedFile& file : *sealed) {
    // Of two, one was being packed: the plain one has everything.
    if (by_segment.contains(file.name.segment) && file.name.compression != Compression::kNone)
      continue;
    std::string text = unpacked(file, fs);
    const auto cut = log.cut_from_sealed.find(file.name.segment);
    by_segment[file.name.segment] =
        cut == log.cut_from_sealed.end() ? text : with_splices(std::move(text), cut->second);
  }
  for (const auto& [segment, text] : log.taken_away) by_segment[segment] += text;
  std::string all;
  for (const auto& [segment, text] : by_segment) all += text;
  const auto info = fs.info(log.spec.path);
  if (!info) return all;
  const auto cut = log.cut_from_active.find(info->inode);
  std::string active = fs.read_file(log.spec.path).value_or("");
  return all +
         (cut == log.cut_from_active.end() ? active : with_splices(std::move(active), cut->second));
}

}  // namespace pmx::sim
