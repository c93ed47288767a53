// PMX_CHECK is for our own mistakes and stays on in release. Nothing a user, a worker, a disk or a
// store sends may reach it: that is an Error.
#pragma once

namespace pmx {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define PMX_CHECK(condition) \
  ((condition) ? (void)0 : ::pmx::check_failed(#condition, __FILE__, __LINE__))
