// Which signal asks a program to finish what it has and end: the one that it has a handler for.
// SIGTERM is everybody's word for that, and goes first: Python turns SIGINT into an exception in
// the middle of whatever it is at. Programs that were written for PM2 may know SIGINT alone.
//
// Thread:  any. Source: proc(5), SigCgt of /proc/<pid>/status.
#pragma once

#include <string_view>

#include "model/app_spec.h"

namespace pmx::supervisor {

int leaving_signal(std::string_view process_status);
// What the app itself says, in kill_signal; SIGINT, as PM2 does, where it says nothing.
int kill_signal(const AppSpec& app);

}  // namespace pmx::supervisor
