// The transport of the file sink: a request to "file://<path>" appends its body to the file.
//
// A body that is the file's tail already is answered as delivered without being written again, and
// one whose beginning is (a full disk, or a kill between two halves) is finished. Bodies of the
// file sink end in a newline and have sequence numbers, so equal bytes are the same lines.
//
// Owns:    nothing between requests: the file is opened for each, so that a file that was moved
//          away is made anew. Thread: ship.
// Errors:  ENOSPC and all others: status 0 with the words, to be tried again.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "ship/http_transport.h"

namespace pmx::ship {

class FileTransport final : public HttpTransport {
 public:
  struct Options {
    bool sync = false;  // fdatasync() before the answer.
  };
  // Runs what it is given later on the same thread: EventLoop::post.
  using Post = std::function<void(std::function<void()>)>;

  FileTransport(Fs& fs, Post post, Options options)
      : fs_(fs), post_(std::move(post)), options_(options) {}
  // Requests posted and not answered yet hold `this`: let the loop run out, or cancel them, first.
  Id send(HttpRequest request, Done done) override;
  void cancel(Id id) override { waiting_.erase(id); }

 private:
  Result<void> append(const std::string& path, std::string_view body) const;
  struct Tail {
    std::size_t written = 0;  // Bytes of the body that the file ends with.
    bool half_line = false;   // It does not end in a newline.
  };
  Result<Tail> tail_of(const std::string& path, std::string_view body) const;

  Fs& fs_;
  Post post_;
  Options options_;
  std::set<Id> waiting_;
  Id last_id_ = 0;
};

}  // namespace pmx::ship
