// What a folder is served as.
#pragma once

#include <string>

namespace pmx::http {

struct SiteOptions {
  std::string folder;                    // Absolute. Links in it are followed anew at each request.
  std::string homepage = "/index.html";  // Of the folder itself, and of a single page app.
  bool single_page = false;              // Paths that no file has are the homepage's.
  bool listing = false;                  // Folders without an index.html show what is in them.
  bool dotfiles = false;                 // Else there are none, but for /.well-known/.
  std::string user, password;            // Both, or neither: everybody may read.
};

}  // namespace pmx::http
