// Colours as chalk writes them, so that PM2's users see the same.
#pragma once

#include <string_view>

namespace pmx::cli::colors {

inline constexpr std::string_view kRed = "\x1b[31m", kGreen = "\x1b[32m", kYellow = "\x1b[33m",
                                  kBlue = "\x1b[34m", kGray = "\x1b[90m", kDefault = "\x1b[39m";
inline constexpr std::string_view kDim = "\x1b[2m", kBold = "\x1b[1m", kNormal = "\x1b[22m";
inline constexpr std::string_view kBackground = "\x1b[100m", kNoBackground = "\x1b[49m";
inline constexpr std::string_view kReset = "\x1b[0m";

}  // namespace pmx::cli::colors
