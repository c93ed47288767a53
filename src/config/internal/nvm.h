// The versions of node that nvm has installed: <nvm>/versions/node/v20.1.0/bin/node.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pmx::config {

// $NVM_DIR, else ~/.nvm; "" where neither variable says anything.
std::string nvm_directory(std::string_view nvm_dir, std::string_view home);

// "v18.1.0", "v20.11.0": oldest first.
std::vector<std::string> nvm_versions(const std::string& nvm);

// Path of the newest installed node that `wanted` means: "20", "v20.1", "20.1.0", an alias of nvm
// ("default", "lts/iron"), or "" for any.
std::optional<std::string> nvm_node(const std::string& nvm, std::string_view wanted);

}  // namespace pmx::config
