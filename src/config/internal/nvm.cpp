#include "config/internal/nvm.h"

#include <algorithm>
#include <array>

#include "base/fs.h"
#include "base/sys.h"
#include "base/units.h"
#include "config/internal/path_lookup.h"

namespace pmx::config {
namespace {

constexpr int kDeepestAlias = 8;  // nvm's own aliases are two deep: default -> lts/* -> v20.1.0.
constexpr std::size_t kLargestAliasBytes = 4096;

using Version = std::array<std::int64_t, 3>;

// "v20.1" → {20, 1, -1}; nullopt where it is no version.
std::optional<Version> version_of(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  Version version{-1, -1, -1};
  for (std::int64_t& part : version) {
    const std::size_t dot = text.find('.');
    const Result<std::int64_t> number = parse_integer(text.substr(0, dot));
    if (!number || *number < 0) return std::nullopt;
    part = *number;
    if (dot == std::string_view::npos) return version;
    text.remove_prefix(dot + 1);
  }
  return std::nullopt;  // Four parts.
}

bool matches(const Version& version, const Version& wanted) {
  for (std::size_t i = 0; i < version.size(); ++i)
    if (wanted[i] != -1 && wanted[i] != version[i]) return false;
  return true;
}

// What an alias of nvm stands for; the word itself where it is none.
std::string without_alias(const std::string& nvm, std::string word) {
  for (int i = 0; i < kDeepestAlias && !version_of(word); ++i) {
    if (word.empty() || word.find("..") != std::string::npos) return word;
    Result<std::string> text = sys::read_file(nvm + "/alias/" + word, kLargestAliasBytes);
    if (!text) return word;
    while (!text->empty() && (text->back() == '\n' || text->back() == ' ')) text->pop_back();
    word = std::move(*text);
  }
  return word;
}

}  // namespace

std::string nvm_directory(std::string_view nvm_dir, std::string_view home) {
  if (!nvm_dir.empty()) return std::string(nvm_dir);
  return home.empty() ? "" : std::string(home) + "/.nvm";
}

std::vector<std::string> nvm_versions(const std::string& nvm) {
  const Result<std::vector<std::string>> names = RealFs().list(nvm + "/versions/node");
  std::vector<std::string> versions;
  if (!names) return versions;
  for (const std::string& name : *names)
    if (version_of(name)) versions.push_back(name);
  std::sort(versions.begin(), versions.end(), [](const std::string& a, const std::string& b) {
    return *version_of(a) < *version_of(b);
  });
  return versions;
}

std::optional<std::string> nvm_node(const std::string& nvm, std::string_view wanted) {
  if (nvm.empty()) return std::nullopt;
  const auto version = version_of(without_alias(nvm, std::string(wanted)));
  if (!version && !wanted.empty()) return std::nullopt;
  std::vector<std::string> versions = nvm_versions(nvm);
  for (auto name = versions.rbegin(); name != versions.rend(); ++name) {
    const std::string node = nvm + "/versions/node/" + *name + "/bin/node";
    if ((!version || matches(*version_of(*name), *version)) && is_executable_file(node))
      return node;
  }
  return std::nullopt;
}

}  // namespace pmx::config
