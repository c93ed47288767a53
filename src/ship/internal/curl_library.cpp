#include "ship/internal/curl_library.h"

#include <dlfcn.h>

#include <string>

namespace pmx::ship {

Result<CurlLibrary> CurlLibrary::open(const char* file) {
  CurlLibrary curl;
  curl.handle_ = ::dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (curl.handle_ == nullptr) {
    const char* why = ::dlerror();
    return Error(Errc::kNotFound, "shipping needs libcurl: " + std::string(why ? why : file) +
                                      "; install the Debian package libcurl4");
  }
#define PMX_CURL_LOAD(name)                                                      \
  curl.name = reinterpret_cast<decltype(curl.name)>(curl.symbol("curl_" #name)); \
  if (curl.name == nullptr)                                                      \
    return Error(Errc::kNotFound,                                                \
                 "shipping needs a newer libcurl: " + std::string(file) + " has no curl_" #name);
  PMX_CURL_FUNCTIONS(PMX_CURL_LOAD)
#undef PMX_CURL_LOAD
  const CURLcode started = curl.global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK)
    return Error(Errc::kIo, std::string("start libcurl: ") + curl.easy_strerror(started));
  return curl;
}

// dlsym() looks through the handle's dependencies too, breadth first (dlsym(3)).
void* CurlLibrary::symbol(const char* name) const { return ::dlsym(handle_, name); }

}  // namespace pmx::ship
