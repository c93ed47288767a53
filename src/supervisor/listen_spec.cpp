#include "supervisor/listen_spec.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>

#include "base/path.h"
#include "base/units.h"

namespace pmx::supervisor {
namespace {

constexpr std::string_view kUnix = "unix:", kBetween = ", \t\n";
constexpr std::size_t kLongestName = 64;
constexpr int kHighestPort = 65'535;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
         });
}

Error wrong(std::string_view entry, const char* why) {
  return invalid("\"" + std::string(entry) + "\" " + why);
}

struct Parts {
  std::string_view name, address;
};
Parts parts_of(std::string_view entry) {
  const std::size_t equals = entry.find('=');
  if (equals == std::string_view::npos || entry.starts_with(kUnix)) return {"", entry};
  return {entry.substr(0, equals), entry.substr(equals + 1)};
}

bool is_literal(int family, std::string_view host) {
  in6_addr address{};
  const std::string text(host.substr(0, family == AF_INET6 ? host.find('%') : host.npos));
  return ::inet_pton(family, text.c_str(), &address) == 1;
}

// What stands before the port. False: it is nothing of the kind.
bool read_host(std::string_view host, ListenAddress& address) {
  if (host.empty() || host == "*") return true;
  if (host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    address.ipv6 = true;
  }
  address.address = host;
  return is_literal(address.ipv6 ? AF_INET6 : AF_INET, host);
}

Result<ListenAddress> unix_path(std::string_view entry, std::string_view path) {
  ListenAddress address;
  address.kind = ListenAddress::Kind::kUnix;
  address.address = path;
  if (path.empty() || path.find('\0') != std::string_view::npos)
    return wrong(entry, "names no path: unix:/run/app.sock");
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return wrong(entry, "is too long: a socket's path has at most 107 bytes");
  return address;
}

Result<ListenAddress> address_of(std::string_view entry, std::string_view text) {
  if (text.starts_with(kUnix)) return unix_path(entry, text.substr(kUnix.size()));
  const std::size_t colon = text.rfind(':');
  ListenAddress address;
  const auto port = parse_integer(colon == text.npos ? text : text.substr(colon + 1));
  if (!port || !read_host(colon == text.npos ? "" : text.substr(0, colon), address))
    return wrong(entry,
                 "is no address to listen on: a port, an IP address with a port "
                 "(127.0.0.1:3000, [::1]:3000) or unix:/path");
  if (*port < 1 || *port > kHighestPort) return wrong(entry, "has no port from 1 to 65535");
  address.port = static_cast<int>(*port);
  return address;
}

Result<std::string> entry_of(const Json& item) {
  if (item.is_string()) return item.as_string();
  if (item.is_integer()) return item.dump();
  for (const auto& [key, ignored] : item.members())
    if (key != "name" && key != "address")
      return wrong(key, "is not known: a socket is { name, address }");
  if (!item.is_object()) return wrong(item.dump(), "is no address to listen on");
  const std::string name = item["name"].as_string();
  const std::string address = PMX_TRY(entry_of(item["address"]));
  return name.empty() ? address : name + "=" + address;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> entries;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find_first_of(kBetween, begin), text.size());
    if (end > begin) entries.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return entries;
}

}  // namespace

Result<ListenSpec> listen_spec_of(std::string_view entry) {
  const Parts parts = parts_of(entry);
  ListenSpec spec;
  spec.address = PMX_TRY(address_of(entry, parts.address));
  if (parts.address.size() != entry.size() && !is_name(parts.name))
    return wrong(entry, "has no good name: letters, digits, _ - and . make one, 64 at most");
  spec.name = parts.name;
  if (!spec.name.empty()) return spec;
  spec.name = spec.address.kind == ListenAddress::Kind::kUnix
                  ? std::string(base_name(spec.address.address))
                  : std::to_string(spec.address.port);
  std::replace_if(
      spec.name.begin(), spec.name.end(),
      [](unsigned char c) { return c == ':' || std::iscntrl(c) != 0; }, '_');
  return spec;
}

Result<std::vector<ListenSpec>> listen_specs_of(const std::vector<std::string>& entries) {
  if (entries.size() > kMostListens)
    return invalid(std::to_string(entries.size()) + " addresses: an app may have " +
                   std::to_string(kMostListens));
  std::vector<ListenSpec> specs;
  for (const std::string& entry : entries) {
    ListenSpec spec = PMX_TRY(listen_spec_of(entry));
    for (const ListenSpec& other : specs)
      if (is_one_address(other.address, spec.address)) return wrong(entry, "is there twice");
    specs.push_back(std::move(spec));
  }
  return specs;
}

Result<std::vector<std::string>> listen_entries(const Json& value) {
  std::vector<std::string> entries;
  if (value.is_string()) {
    entries = split(value.as_string());
  } else if (value.is_array()) {
    for (const Json& item : value.items()) entries.push_back(PMX_TRY(entry_of(item)));
  } else if (!value.is_null() && (!value.is_bool() || value.as_bool())) {
    entries.push_back(PMX_TRY(entry_of(value)));
  }
  PMX_TRY(listen_specs_of(entries));
  return entries;
}

std::string absolute_entry(const std::string& entry, std::string_view cwd, std::string_view home) {
  const std::size_t at = entry.size() - parts_of(entry).address.size();
  if (entry.compare(at, kUnix.size(), kUnix) != 0) return entry;
  const std::size_t path = at + kUnix.size();
  return entry.substr(0, path) +
         absolute_path(std::string(cwd), entry.substr(path), std::string(home));
}

std::string names_of(const std::vector<ListenSpec>& specs) {
  std::string names;
  for (const ListenSpec& spec : specs) names += (names.empty() ? "" : ":") + spec.name;
  return names;
}

}  // namespace pmx::supervisor
