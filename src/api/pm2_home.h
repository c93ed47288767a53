// Whether a PM2 daemon lives in a home directory: two owners of one home would lose each other's
// apps.
#pragma once

#include <optional>
#include <string>

namespace pmx::api {

// One line that says so and what to do; nullopt: the home is free of PM2.
std::optional<std::string> pm2_lives_in(const std::string& home);

}  // namespace pmx::api
