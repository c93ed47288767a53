// libcurl, opened at run time: a command that is linked to it starts 4 ms later, and a daemon
// without sinks would pay 6 MB for it (docs/DECISIONS.md, 2). One table of typed pointers; who uses
// it writes curl.easy_init() for curl_easy_init().
//
// It is never closed again: a thread of its that still resolves a name would run in no code.
//
// Thread: any that has one, one at a time (libcurl counts its global start itself, with a lock).
#pragma once

// C's checking macros would hide the functions behind names that are no functions.
#ifndef CURL_DISABLE_TYPECHECK
#define CURL_DISABLE_TYPECHECK
#endif
#include <curl/curl.h>

#include "base/result.h"

namespace pmx::ship {

// clang-format off
#define PMX_CURL_FUNCTIONS(X) \
  X(global_init) X(version_info) X(slist_append) X(slist_free_all) X(easy_init) \
  X(easy_cleanup) X(easy_setopt) X(easy_getinfo) X(easy_strerror) X(multi_init) \
  X(multi_cleanup) X(multi_setopt) X(multi_add_handle) X(multi_remove_handle) \
  X(multi_socket_action) X(multi_info_read) X(multi_strerror)
// clang-format on

struct CurlLibrary {
  // kNotFound: it is not installed; the message says which package is missing.
  static Result<CurlLibrary> open(const char* file = "libcurl.so.4");
  // Of libcurl or of a library that it is linked to: its own OpenSSL, whichever that is. nullptr
  // where there is none.
  void* symbol(const char* name) const;

#define PMX_CURL_POINTER(name) decltype(&::curl_##name) name = nullptr;
  PMX_CURL_FUNCTIONS(PMX_CURL_POINTER)
#undef PMX_CURL_POINTER

 private:
  void* handle_ = nullptr;
};

}  // namespace pmx::ship
