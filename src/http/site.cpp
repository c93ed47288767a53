#include "http/site.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "base/time_text.h"
#include "http/basic_auth.h"
#include "http/byte_range.h"
#include "http/content_type.h"
#include "http/listing.h"

namespace pmx::http {
namespace {

struct Phrase {
  int status;
  std::string_view text;
};
constexpr std::array kPhrases{
    Phrase{301, "Moved Permanently"},
    Phrase{400, "Bad Request"},
    Phrase{401, "Unauthorized"},
    Phrase{403, "Forbidden"},
    Phrase{404, "Not Found"},
    Phrase{405, "Method Not Allowed"},
    Phrase{416, "Range Not Satisfiable"},
    Phrase{500, "Internal Server Error"},
    Phrase{503, "Service Unavailable"},
};

void add_common(Answer& answer) {
  answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
  answer.headers.emplace_back("Access-Control-Allow-Origin", "*");  // As PM2.
}

Answer short_answer(int status, std::string trouble = {}) {
  Answer answer;
  answer.status = status;
  answer.trouble = std::move(trouble);
  const auto* const phrase = std::find_if(kPhrases.begin(), kPhrases.end(),
                                          [&](const Phrase& p) { return p.status == status; });
  answer.body = std::to_string(status) + " " + std::string(phrase->text) + "\n";
  answer.headers.emplace_back("Content-Type", content_type("answer.txt"));
  add_common(answer);
  return answer;
}

Answer with(Answer answer, std::string name, std::string value) {
  answer.headers.emplace_back(std::move(name), std::move(value));
  return answer;
}

// Nothing is there, for whoever asks; a link that leads out among it.
bool is_missing(const Error& error) {
  constexpr std::array kErrors{ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, ENXIO, ENODEV};
  return error.code() == Errc::kNotFound ||
         std::find(kErrors.begin(), kErrors.end(), error.sys_errno()) != kErrors.end();
}

Answer failure(const Error& error) {
  const int sys_errno = error.sys_errno();
  if (sys_errno == EACCES || sys_errno == EPERM) return short_answer(403, error.message());
  return short_answer(retryable(error) || sys_errno == ENOMEM ? 503 : 500, error.message());
}

// Of inode, size and time: a file that was replaced by one of the same size and date has another.
std::string etag_of(const Entry& file) {
  char text[64];
  std::snprintf(text, sizeof text, "\"%llx-%llx-%llx\"",
                static_cast<unsigned long long>(file.inode),
                static_cast<unsigned long long>(file.size_bytes),
                static_cast<unsigned long long>(file.modified_ns));
  return text;
}

// RFC 9110, 13.2.2. Dates are compared as they are written: it is ours that comes back. A tag has
// no quote in it, so one that is found with its quotes is the whole of a list's member.
bool has_it_already(const Request& request, std::string_view etag, std::string_view modified) {
  if (!request.if_none_match.empty())
    return request.if_none_match == "*" ||
           request.if_none_match.find(etag) != std::string_view::npos;
  return request.if_modified_since == modified;
}

// Browsers ask each time and are mostly told 304: a new release is seen at once.
Answer file_answer(Entry file, std::string_view name, const Request& request) {
  Answer answer;
  const std::string etag = etag_of(file), modified = http_date(file.modified_ns);
  answer.headers = {{"ETag", etag},
                    {"Last-Modified", modified},
                    {"Cache-Control", "no-cache"},
                    {"Accept-Ranges", "bytes"}};
  answer.size = file.size_bytes;
  if (has_it_already(request, etag, modified)) {
    answer.status = 304;
    answer.file = std::move(file.fd);  // Its size is said, and nothing of it sent.
    add_common(answer);
    return answer;
  }
  const bool in_part =
      request.method == "GET" &&
      (request.if_range.empty() || request.if_range == etag || request.if_range == modified);
  const auto range = parse_range(in_part ? request.range : "", file.size_bytes);
  const std::string of_size = "/" + std::to_string(file.size_bytes);
  if (range && range->size == 0)
    return with(short_answer(416), "Content-Range", "bytes *" + of_size);
  if (range) {
    answer.status = 206;
    answer.offset = range->offset;
    answer.size = range->size;
    answer.headers.emplace_back("Content-Range",
                                "bytes " + std::to_string(range->offset) + "-" +
                                    std::to_string(range->offset + range->size - 1) + of_size);
  }
  answer.headers.emplace_back("Content-Type", content_type(name));
  add_common(answer);
  answer.file = std::move(file.fd);
  return answer;
}

// Relative, so that it is right behind a proxy's prefix, and never another host ("//host").
Answer to_folder(const RequestPath& wanted) {
  return with(short_answer(301), "Location",
              "./" + percent_encoded(last_name(wanted.path)) + "/" + wanted.query);
}

std::string below(const std::string& folder, std::string_view name) {
  return folder + (folder.empty() ? "" : "/") + std::string(name);
}

constexpr std::string_view kIndex = "index.html";

}  // namespace

Site::Site(SiteOptions options) : options_(std::move(options)) {
  std::string& homepage = options_.homepage;  // As a path below the folder.
  homepage.erase(0, std::min(homepage.find_first_not_of('/'), homepage.size()));
}

Answer Site::answer(const Request& request) const {
  if (!options_.user.empty() &&
      !is_authorised(request.authorization, options_.user, options_.password))
    return with(short_answer(401), "WWW-Authenticate",
                "Basic realm=\"Authentication service\", charset=\"UTF-8\"");
  if (request.method != "GET" && request.method != "HEAD")
    return with(short_answer(405), "Allow", "GET, HEAD");
  const auto wanted = parse_target(request.target);
  if (!wanted) return short_answer(400);
  const auto folder = ServedFolder::open(options_.folder);
  if (!folder) return short_answer(503, folder.error().message());
  Visit visit{*folder, *wanted, request};
  Answer answer = find(visit);
  if (answer.trouble.empty() && answer.status >= 400) answer.trouble = std::move(visit.trouble);
  return answer;
}

// Nothing where there is no file; what the file system refuses is an answer.
std::optional<Answer> Site::file_at(Visit& visit, const std::string& path) {
  auto entry = visit.folder.entry(path);
  if (entry && entry->is_folder) return std::nullopt;
  if (entry) return file_answer(std::move(*entry), last_name(path), visit.request);
  if (!is_missing(entry.error())) return failure(entry.error());
  if (entry.error().sys_errno() == 0) visit.trouble = entry.error().message();
  return std::nullopt;
}

Answer Site::find(Visit& visit) const {
  const RequestPath& wanted = visit.wanted;
  if (wanted.dotfile && !options_.dotfiles) return not_found(visit);
  if (wanted.nameless) return missing(visit);
  if (wanted.folder) return find_in_folder(visit);
  if (auto file = file_at(visit, wanted.path)) return std::move(*file);
  return shows_folder(visit) ? to_folder(wanted) : missing(visit);
}

bool Site::shows_folder(const Visit& visit) const {
  const std::string& path = visit.wanted.path;
  const auto entry = visit.folder.entry(options_.listing ? path : below(path, kIndex));
  return entry && entry->is_folder == options_.listing;
}

Answer Site::find_in_folder(Visit& visit) const {
  const std::string& path = visit.wanted.path;
  if (auto index = file_at(visit, path.empty() ? options_.homepage : below(path, kIndex)))
    return std::move(*index);
  if (!options_.listing) return missing(visit);
  using Dotfiles = ServedFolder::Dotfiles;
  const auto entries = visit.folder.list(path, options_.dotfiles ? Dotfiles::kYes : Dotfiles::kNo);
  if (!entries) return is_missing(entries.error()) ? missing(visit) : failure(entries.error());
  Answer page;
  page.body = listing_page(path, *entries);
  page.headers = {{"Content-Type", content_type(kIndex)}, {"Cache-Control", "no-cache"}};
  add_common(page);
  return page;
}

// In a single page app a path without an ending is the app's own affair. A file that is wanted
// beside such a path (/users/app.js, from a relative link) is the folder's own, as in PM2.
Answer Site::missing(Visit& visit) const {
  const RequestPath& wanted = visit.wanted;
  const std::string name(last_name(wanted.path));
  const bool is_route = wanted.folder || name.find('.') == std::string::npos;
  if (options_.single_page && !is_route && name != wanted.path)
    if (auto file = file_at(visit, name)) return std::move(*file);
  if (options_.single_page && is_route)
    if (auto page = file_at(visit, options_.homepage)) return std::move(*page);
  return not_found(visit);
}

Answer Site::not_found(Visit& visit) {
  auto page = visit.folder.entry("404.html");
  if (!page || page->is_folder) return short_answer(404);
  Answer answer;
  answer.status = 404;
  answer.headers = {{"Content-Type", content_type(kIndex)}, {"Cache-Control", "no-cache"}};
  add_common(answer);
  answer.size = page->size_bytes;
  answer.file = std::move(page->fd);
  return answer;
}

}  // namespace pmx::http
