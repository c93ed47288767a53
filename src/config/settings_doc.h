// docs/SETTINGS.md, printed from the table; a test fails when the file is stale.
#pragma once

#include <string>

namespace pmx::config {

std::string settings_markdown();

}  // namespace pmx::config
