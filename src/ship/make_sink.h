// Which sink and which transport speak to which type of store.
#pragma once

#include <memory>

#include "base/event_loop.h"
#include "base/fs.h"
#include "ship/sink.h"

namespace pmx::ship {

std::unique_ptr<Sink> make_sink(SinkContext context);
Result<std::unique_ptr<HttpTransport>> make_transport(EventLoop& loop, Fs& files,
                                                      const SinkSpec& spec);

}  // namespace pmx::ship
