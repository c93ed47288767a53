// Lines of JSON into a file of the user's: the same as an http sink's, without compression, so that
// the file's tail can be compared with what is to be written (file_transport.h).
#pragma once

#include <memory>

#include "ship/sink.h"

namespace pmx::ship {

// spec.urls[0] is an absolute path; requests go to "file://<path>".
std::unique_ptr<Sink> make_file_sink(SinkContext context);

}  // namespace pmx::ship
