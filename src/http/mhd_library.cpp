#include "http/mhd_library.h"

#include <dlfcn.h>

#include <string>

namespace pmx::http {

Result<MhdLibrary> MhdLibrary::open(const char* file) {
  void* const handle = ::dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return Error(Errc::kNotFound, "pmx needs libmicrohttpd here: " + std::string(why ? why : file) +
                                      "; install the Debian package libmicrohttpd12");
  }
  MhdLibrary http;
#define PMX_MHD_LOAD(name)                                                                       \
  http.name = reinterpret_cast<decltype(http.name)>(::dlsym(handle, "MHD_" #name));              \
  if (http.name == nullptr)                                                                      \
    return Error(Errc::kNotFound, "pmx needs another libmicrohttpd here: " + std::string(file) + \
                                      " has no MHD_" #name);
  PMX_MHD_FUNCTIONS(PMX_MHD_LOAD)
#undef PMX_MHD_LOAD
  return http;
}

}  // namespace pmx::http
