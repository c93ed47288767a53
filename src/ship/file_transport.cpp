#include "ship/file_transport.h"

#include <algorithm>
#include <utility>

namespace pmx::ship {
namespace {

constexpr std::string_view kScheme = "file://";

// The longest beginning of `body` that `tail` ends with. Lines begin with their time, so that a
// search for the body's first bytes finds them nowhere else.
std::size_t overlap(std::string_view tail, std::string_view body) {
  constexpr std::size_t kHeadBytes = 64;
  const std::string_view head = body.substr(0, kHeadBytes);
  for (auto at = tail.find(head); at != std::string_view::npos; at = tail.find(head, at + 1))
    if (body.starts_with(tail.substr(at))) return tail.size() - at;
  for (std::size_t size = std::min(head.size(), tail.size()); size > 0; --size)
    if (tail.ends_with(body.substr(0, size))) return size;
  return 0;
}

}  // namespace

HttpTransport::Id FileTransport::send(HttpRequest request, Done done) {
  const Id id = ++last_id_;
  waiting_->insert(id);
  // Shared: what is posted may be called when this object is gone, and then does nothing.
  post_([this, waiting = waiting_, id, request = std::move(request), done = std::move(done)] {
    if (waiting->erase(id) == 0) return;
    HttpAnswer answer;
    const auto appended =
        request.url.starts_with(kScheme)
            ? append(request.url.substr(kScheme.size()), request.body)
            : Result<void>(invalid("append to " + request.url + ": no file:// URL"));
    if (appended)
      answer.status = 200;
    else
      answer.error = appended.error().message();
    done(std::move(answer));
  });
  return id;
}

Result<FileTransport::Tail> FileTransport::tail_of(const std::string& path,
                                                   std::string_view body) const {
  auto file = fs_.open(path, OpenMode::kRead);
  if (!file && file.error().code() == Errc::kNotFound) return Tail{};
  if (!file) return std::move(file).error();
  const std::uint64_t size = PMX_TRY((*file)->info()).size_bytes;
  std::string bytes(std::min<std::uint64_t>(size, body.size()), '\0');
  bytes.resize(PMX_TRY((*file)->pread_all(bytes, size - bytes.size())));
  return Tail{overlap(bytes, body), !bytes.empty() && bytes.back() != '\n'};
}

Result<void> FileTransport::append(const std::string& path, std::string_view body) const {
  const Tail tail = PMX_TRY(tail_of(path, body));
  auto file = PMX_TRY(fs_.open(path, OpenMode::kAppend, 0600));
  std::string ended;
  if (tail.written == 0 && tail.half_line) {
    // Somebody's half line, which nobody will finish: it is to spoil no other.
    ended.append("\n").append(body);
    body = ended;
  }
  body.remove_prefix(tail.written);
  while (!body.empty()) {  // Once, but for what the disk has no room for.
    const iovec part{const_cast<char*>(body.data()), body.size()};
    const std::size_t taken = PMX_TRY(file->writev({&part, 1}));
    body.remove_prefix(taken);
  }
  if (options_.sync) PMX_TRY(file->sync_data());
  return file->close();
}

}  // namespace pmx::ship
