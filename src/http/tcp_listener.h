// A listening socket for a host and a port, as a user writes them.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

struct sockaddr;

namespace pmx::http {

// kYes: other processes of this user that ask for it too share the port (SO_REUSEPORT).
enum class SharePort : std::uint8_t { kNo, kYes };

// `host` is an address, a name of this machine, or "0.0.0.0" and "::" for all. Port 0: any that is
// free. Errors: kExists where the port is in use; each says what to do.
Result<Fd> listen_tcp(const std::string& host, std::uint16_t port, SharePort share);

std::string address_text(const sockaddr* address);  // "127.0.0.1"; "" where it is none.
std::string bound_to(int socket);                   // "127.0.0.1:8080", "[::1]:8080"

}  // namespace pmx::http
