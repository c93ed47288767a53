// HTTP's Basic authentication (RFC 7617).
#pragma once

#include <string>
#include <string_view>

namespace pmx::http {

// As long for a wrong secret as for the right one, wherever they differ.
bool equal_in_constant_time(std::string_view given, std::string_view secret);

// Whether an Authorization header has this name and password.
bool is_authorised(std::string_view header, const std::string& user, const std::string& password);

}  // namespace pmx::http
