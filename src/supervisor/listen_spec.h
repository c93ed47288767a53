// The entries of an app's `listen`: where its workers listen, and what each socket is called.
//
//   3000   127.0.0.1:3000   [::1]:3000   unix:/run/app.sock     each with "name=" before it
//
// A port alone is any address, IPv6 and IPv4, as Node has it. A socket without a name is called by
// its port, or by its file.
//
// Thread:  any; no state.
// Bounds:  kMostListens entries.
// Errors:  kInvalidArgument, one line that says what would do.
// Sources: sd_listen_fds(3), systemd.socket(5) (FileDescriptorName=), unix(7).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "supervisor/listen_socket.h"

namespace pmx::supervisor {

inline constexpr std::size_t kMostListens = 16;

struct ListenSpec {
  std::string name;  // Of LISTEN_FDNAMES.
  ListenAddress address;
};
Result<ListenSpec> listen_spec_of(std::string_view entry);
// No address twice.
Result<std::vector<ListenSpec>> listen_specs_of(const std::vector<std::string>& entries);

// As a configuration has them: a list, or one, each text, a port or {"name","address"}; text that is
// in no list may have several, with commas or spaces in between. Checked.
Result<std::vector<std::string>> listen_entries(const Json& value);
// A Unix path that is relative is one in `cwd`.
std::string absolute_entry(const std::string& entry, std::string_view cwd, std::string_view home);

// LISTEN_FDNAMES.
std::string names_of(const std::vector<ListenSpec>& specs);

}  // namespace pmx::supervisor
