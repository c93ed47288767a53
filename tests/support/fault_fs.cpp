#include "support/fault_fs.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace pmx::test {
namespace {

using State = FaultFs::State;
using Call = FaultFs::Call;

class FaultFile final : public File {
 public:
  FaultFile(std::unique_ptr<File> real, std::string path, std::shared_ptr<State> state)
      : real_(std::move(real)), path_(std::move(path)), state_(std::move(state)) {}

  Result<std::size_t> writev(std::span<const iovec> parts) override {
    std::size_t wanted = 0;
    for (const iovec& part : parts) wanted += part.iov_len;
    std::size_t admitted = PMX_TRY(state_->admit_write(path_, wanted));
    const auto last = state_->last_write(admitted);
    admitted = last.value_or(admitted);
    std::vector<iovec> taken;
    std::size_t left = admitted;
    for (iovec part : parts) {
      part.iov_len = std::min(part.iov_len, left);
      left -= part.iov_len;
      if (part.iov_len != 0) taken.push_back(part);
    }
    if (!taken.empty()) admitted = PMX_TRY(real_->writev(taken));
    if (last) state_->die();
    return admitted;
  }
  Result<std::size_t> pwrite(std::string_view bytes, std::uint64_t offset) override {
    std::size_t admitted = PMX_TRY(state_->admit_write(path_, bytes.size()));
    const auto last = state_->last_write(admitted);
    admitted = last.value_or(admitted);
    if (admitted != 0) admitted = PMX_TRY(real_->pwrite(bytes.substr(0, admitted), offset));
    if (last) state_->die();
    return admitted;
  }
  Result<std::size_t> pread(std::span<char> into, std::uint64_t offset) override {
    if (auto fault = state_->fault(Call::kRead, path_)) return *fault;
    return real_->pread(into.first(state_->admit_read(into.size())), offset);
  }
  Result<FileInfo> info() override {
    if (auto fault = state_->fault(Call::kInfo, path_)) return *fault;
    return real_->info();
  }
  Result<std::uint64_t> position() override { return real_->position(); }
  Result<void> truncate(std::uint64_t size_bytes) override {
    if (auto fault = state_->fault(Call::kTruncate, path_)) return *fault;
    return real_->truncate(size_bytes);
  }
  Result<void> reserve(std::uint64_t size_bytes) override { return real_->reserve(size_bytes); }
  Result<void> sync_data() override {
    if (auto fault = state_->fault(Call::kSync, path_)) return *fault;
    if (!state_->skip_real_syncs) PMX_TRY(real_->sync_data());
    const FileInfo now = PMX_TRY(real_->info());
    const std::lock_guard lock(state_->mutex);
    state_->written[now.inode].synced_bytes = now.size_bytes;
    return {};
  }
  Result<void> close() override { return real_->close(); }

 private:
  std::unique_ptr<File> real_;
  std::string path_;
  std::shared_ptr<State> state_;
};

bool contains(std::string_view path, const std::string& part) {
  return path.find(part) != path.npos;
}

}  // namespace

std::optional<Error> FaultFs::State::fault(Call call, std::string_view path) {
  const std::lock_guard lock(mutex);
  ++calls[call];
  for (Failure& failure : failures) {
    if (failure.call != call || failure.times == 0 || !contains(path, failure.path_part)) continue;
    if (failure.times > 0) --failure.times;
    return system_error(failure.sys_errno, "injected", path);
  }
  return std::nullopt;
}

Result<std::size_t> FaultFs::State::admit_write(std::string_view path, std::size_t wanted) {
  if (auto failed = fault(Call::kWrite, path)) return *failed;
  const std::lock_guard lock(mutex);
  if (max_write_bytes != 0) {
    skip_next_write = !skip_next_write;
    if (!skip_next_write) return std::size_t{0};
    wanted = std::min(wanted, max_write_bytes);
  }
  if (space_left_bytes && contains(path, full_path_part)) {
    if (*space_left_bytes == 0 && wanted != 0) return system_error(ENOSPC, "write", path);
    wanted = std::min<std::uint64_t>(wanted, *space_left_bytes);
    *space_left_bytes -= wanted;
  }
  return wanted;
}

std::optional<std::size_t> FaultFs::State::last_write(std::size_t wanted) {
  const std::lock_guard lock(mutex);
  if (!life_left_bytes) return std::nullopt;
  if (wanted < *life_left_bytes) {
    *life_left_bytes -= wanted;
    return std::nullopt;
  }
  return static_cast<std::size_t>(*std::exchange(life_left_bytes, std::nullopt));
}

std::size_t FaultFs::State::admit_read(std::size_t wanted) {
  const std::lock_guard lock(mutex);
  return max_read_bytes == 0 ? wanted : std::min(wanted, max_read_bytes);
}

void FaultFs::fail(Call call, std::string path_part, int sys_errno, int times) {
  const std::lock_guard lock(state_->mutex);
  state_->failures.push_back({call, std::move(path_part), sys_errno, times});
}

void FaultFs::full_after(std::uint64_t bytes, std::string path_part) {
  const std::lock_guard lock(state_->mutex);
  state_->space_left_bytes = bytes;
  state_->full_path_part = std::move(path_part);
}

void FaultFs::die_after(std::uint64_t bytes, std::function<void()> die) {
  const std::lock_guard lock(state_->mutex);
  state_->life_left_bytes = bytes;
  state_->die = std::move(die);
}

void FaultFs::short_writes(std::size_t max_bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->max_write_bytes = max_bytes;
}

void FaultFs::short_reads(std::size_t max_bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->max_read_bytes = max_bytes;
}

void FaultFs::set_disk_space(DiskSpace space) {
  const std::lock_guard lock(state_->mutex);
  state_->disk_space = space;
}

void FaultFs::skip_real_syncs() {
  const std::lock_guard lock(state_->mutex);
  state_->skip_real_syncs = true;
}

void FaultFs::heal() {
  const std::lock_guard lock(state_->mutex);
  state_->failures.clear();
  state_->space_left_bytes.reset();
  state_->life_left_bytes.reset();
  state_->max_write_bytes = state_->max_read_bytes = 0;
  state_->disk_space.reset();
}

void FaultFs::lose_unsynced() {
  const std::lock_guard lock(state_->mutex);
  for (const auto& [inode, written] : state_->written) {
    const auto found = real_.info(written.path);
    if (!found || found->inode != inode || found->size_bytes <= written.synced_bytes) continue;
    auto file = real_.open(written.path, OpenMode::kReadWrite, 0600);
    PMX_CHECK(file && (*file)->truncate(written.synced_bytes) && (*file)->close());
  }
}

int FaultFs::calls(Call call) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->calls.find(call);
  return found == state_->calls.end() ? 0 : found->second;
}

Result<std::unique_ptr<File>> FaultFs::open(const std::string& path, OpenMode mode,
                                            mode_t permissions) {
  if (auto fault = state_->fault(Call::kOpen, path)) return *fault;
  const auto before = real_.info(path);
  auto real = PMX_TRY(real_.open(path, mode, permissions));
  if (mode != OpenMode::kRead) {
    const FileInfo now = PMX_TRY(real->info());
    const std::lock_guard lock(state_->mutex);
    // What was there before the test's first write counts as on disk; inodes are used again.
    if (!before) state_->written.erase(now.inode);
    state_->written.try_emplace(now.inode, State::Written{path, now.size_bytes});
  }
  return std::unique_ptr<File>(std::make_unique<FaultFile>(std::move(real), path, state_));
}

Result<FileInfo> FaultFs::info(const std::string& path) {
  if (auto fault = state_->fault(Call::kInfo, path)) return *fault;
  return real_.info(path);
}

Result<void> FaultFs::moved(Result<void> result, const std::string& to) {
  if (!result) return result;
  const FileInfo now = PMX_TRY(real_.info(to));
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->written.find(now.inode);
  if (found != state_->written.end()) found->second.path = to;
  return result;
}

Result<void> FaultFs::rename(const std::string& from, const std::string& to) {
  if (auto fault = state_->fault(Call::kRename, from + " to " + to)) return *fault;
  return moved(real_.rename(from, to), to);
}

Result<void> FaultFs::rename_new(const std::string& from, const std::string& to) {
  if (auto fault = state_->fault(Call::kRename, from + " to " + to)) return *fault;
  return moved(real_.rename_new(from, to), to);
}

Result<void> FaultFs::remove(const std::string& path) {
  if (auto fault = state_->fault(Call::kRemove, path)) return *fault;
  return real_.remove(path);
}

Result<std::vector<std::string>> FaultFs::list(const std::string& directory) {
  if (auto fault = state_->fault(Call::kList, directory)) return *fault;
  return real_.list(directory);
}

Result<void> FaultFs::make_directories(const std::string& path, mode_t permissions) {
  if (auto fault = state_->fault(Call::kMakeDirectories, path)) return *fault;
  return real_.make_directories(path, permissions);
}

Result<void> FaultFs::sync_directory(const std::string& path) {
  if (auto fault = state_->fault(Call::kSync, path)) return *fault;
  return state_->skip_real_syncs ? Result<void>() : real_.sync_directory(path);
}

Result<DiskSpace> FaultFs::disk_space(const std::string& path) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->disk_space) return *state_->disk_space;
  }
  return real_.disk_space(path);
}

}  // namespace pmx::test
