// Whether bind(2) can be answered for others on this machine, for this user: tried out once, with a
// thread of our own that ends with the question. What may forbid it: the kernel's build, a
// container's own filter, Yama.
//
// Thread:  any.
// Errors:  what forbids it, as the call that failed says it.
#pragma once

#include "base/result.h"

namespace pmx {

Result<void> probe_bind_trap();

}  // namespace pmx
