#include "api/internal/http_library.h"

#include <dlfcn.h>

#include <string>

namespace pmx::api {

Result<HttpLibrary> HttpLibrary::open(const char* file) {
  void* const handle = ::dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return Error(Errc::kNotFound,
                 "the daemon needs libmicrohttpd: " + std::string(why ? why : file) +
                     "; install the Debian package libmicrohttpd12");
  }
  HttpLibrary http;
#define PMX_HTTP_LOAD(name)                                                                        \
  http.name = reinterpret_cast<decltype(http.name)>(::dlsym(handle, "MHD_" #name));                \
  if (http.name == nullptr)                                                                        \
    return Error(Errc::kNotFound, "the daemon needs another libmicrohttpd: " + std::string(file) + \
                                      " has no MHD_" #name);
  PMX_HTTP_FUNCTIONS(PMX_HTTP_LOAD)
#undef PMX_HTTP_LOAD
  return http;
}

}  // namespace pmx::api
