// A folder as a web site: from one request to its answer, without any connection.
//
// Thread:   any; nothing is kept between requests.
// Errors:   each is an answer: 400 for what no browser sends, 401, 403 where the file system says
//           so, 404, 405, 416, 503 where descriptors or memory are short, else 500.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "http/options.h"
#include "http/request_path.h"
#include "http/served_folder.h"

namespace pmx::http {

struct Request {
  std::string_view method, target;
  std::string_view authorization, range, if_range, if_none_match, if_modified_since;
};

struct Answer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // Where there is no file.
  Fd file;
  std::uint64_t offset = 0, size = 0;  // The part of it.
  std::string trouble = {};            // For whoever runs the site: what is wrong with it.

  std::uint64_t size_bytes() const { return file ? size : body.size(); }
};

class Site {
 public:
  explicit Site(SiteOptions options);
  Answer answer(const Request& request) const;

 private:
  // What one request asks of the folder as it is now.
  struct Visit {
    const ServedFolder& folder;
    const RequestPath& wanted;
    const Request& request;
    std::string trouble = {};
  };
  static std::optional<Answer> file_at(Visit& visit, const std::string& path);
  Answer find(Visit& visit) const;
  Answer find_in_folder(Visit& visit) const;
  bool shows_folder(const Visit& visit) const;
  Answer missing(Visit& visit) const;
  static Answer not_found(Visit& visit);

  SiteOptions options_;
};

}  // namespace pmx::http
