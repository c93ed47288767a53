// A release: what of an app runs, so that a rollback can bring it back. Its program, arguments,
// environment and user as the app says them, and where the links on its paths led when it was
// started: a deploy may change nothing but a link, /srv/web/current.
//
// Thread:  control. Looks paths up; changes nothing.
// Bounds:  kMostLinks of an app's paths; of more the first count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/app_spec.h"

namespace pmx::supervisor {

// A path as the app says it, and what it is without links; those that are without are left out.
using Links = std::map<std::string, std::string>;
inline constexpr std::size_t kMostLinks = 64;

struct Release {
  AppSpec app;  // What take_program() takes; the rest says nothing.
  Links links;
  std::int64_t at_ns = 0;  // When another one was started in its place.
};

// Of its script, directory, interpreter, files of variables, and arguments that are paths. Where a
// rollback has pinned one, that is where it leads.
Links links_of(const AppSpec& app);
// Whether both would run the same. Variables of a terminal or a session make no difference.
bool same_program(const AppSpec& one, const AppSpec& other);
void take_program(AppSpec& app, const AppSpec& from);
// The app as it is started: each pinned path in the place of the one that is written.
AppSpec with_pinned_paths(const AppSpec& app);

// `now`, with that release's program. Where a link leads elsewhere by now, its path is pinned:
// kNotFound where it is gone.
Result<AppSpec> back_to(const Release& release, AppSpec now);

// Of a terminal, a session, a window or a parent process, and so of no app.
bool is_of_the_shell(std::string_view variable);

}  // namespace pmx::supervisor
