// What the kernel allows root and nobody else (capabilities(7)) it does not allow this thread while
// one of these lives: root, too, is refused a file without permission bits, or a low port.
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "base/check.h"

namespace pmx::test {

class WithoutCapabilities {
 public:
  WithoutCapabilities() {
    PMX_CHECK(::syscall(SYS_capget, &header_, had_.data()) == 0);
    auto none = had_;
    for (__user_cap_data_struct& part : none) part.effective = 0;
    PMX_CHECK(::syscall(SYS_capset, &header_, none.data()) == 0);
  }
  ~WithoutCapabilities() { PMX_CHECK(::syscall(SYS_capset, &header_, had_.data()) == 0); }
  WithoutCapabilities(const WithoutCapabilities&) = delete;
  WithoutCapabilities& operator=(const WithoutCapabilities&) = delete;

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> had_{};
};

}  // namespace pmx::test
