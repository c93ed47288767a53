// What a daemon does to its own process before anything else.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/sys.h"

namespace pmx::api {

inline void limit_ourselves() {
  // A terminal's Ctrl-C and a machine's shutdown reach every process of the group; what they mean
  // for us the keeper says.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR2, SIGPIPE})
    ::signal(signal, SIG_IGN);
  ::umask(077);
  sys::raise_fd_limit();
  const rlimit no_core{0, 0};  // A core would hold every app's secrets.
  (void)::setrlimit(RLIMIT_CORE, &no_core);
  (void)::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace pmx::api
