// A folder as a page: what is in it, as links.
#pragma once

#include <string>
#include <vector>

#include "http/served_folder.h"

namespace pmx::http {

// `path` below the served folder, "" itself. Links are relative: a proxy may serve us under a
// prefix.
std::string listing_page(const std::string& path, const std::vector<ListedEntry>& entries);

}  // namespace pmx::http
