// Tells the service manager that started us how we are, where there is one (sd_notify(3)).
#pragma once

#include <string_view>

#include "base/result.h"

namespace pmx::api {

// "READY=1\nMAINPID=17" to the datagram socket that $NOTIFY_SOCKET names: a path, or an abstract
// name after @. Without the variable nothing is done.
Result<void> notify_service(std::string_view state);

}  // namespace pmx::api
