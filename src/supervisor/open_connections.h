// How many TCP connections a process holds, for who waits for it to let them go.
//
// Thread:  any. Source: proc(5), /proc/<pid>/fd and /proc/<pid>/net/tcp.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>

namespace pmx::supervisor {

std::size_t open_connections(pid_t pid);  // 0 where the process is gone or not ours to look at.

// Of its clients: those to an address that it listens on, or to one of `ports`, where others listen
// for it. nullopt: it listens on none and there are none, or it is not ours to look at.
std::optional<std::size_t> served_connections(pid_t pid, std::span<const int> ports = {});

}  // namespace pmx::supervisor
