// libmicrohttpd without threads of its own, in an event loop: its epoll descriptor becomes readable
// when there is something to do, MHD_run() does it, and MHD_get_timeout() says when it wants to run
// again anyway (a connection's idle timeout: none, where there are no connections, so an idle
// server is not woken).
//
// Owns:    the MHD_Daemon and its timer.
// Thread:  the loop's.
#pragma once

#include <memory>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "http/mhd_library.h"

namespace pmx::http {

class MhdLoop {
 public:
  MhdLoop(EventLoop& loop, const MhdLibrary& http) : loop_(loop), http_(http) {}
  ~MhdLoop();  // Closes what connections there are, of which none may be suspended.
  MhdLoop(const MhdLoop&) = delete;
  MhdLoop& operator=(const MhdLoop&) = delete;

  // Takes over what MHD_start_daemon() has answered, started with MHD_USE_EPOLL.
  Result<void> begin(MHD_Daemon* daemon);
  void run_soon();  // After a connection was resumed.
  // A request ended (MHD_OPTION_NOTIFY_COMPLETED). Out of descriptors MHD stops to listen until a
  // connection is gone, and takes that up only when it is run once more, for which nothing would
  // wake us.
  void completed() { completed_ = true; }
  // What has been connected to so far is accepted. The socket is not shut down: others may hold it.
  void stop_listening();

 private:
  void run();

  EventLoop& loop_;
  const MhdLibrary http_;
  MHD_Daemon* daemon_ = nullptr;
  int epoll_fd_ = -1;  // MHD's.
  EventLoop::TimerId timer_ = 0;
  bool completed_ = false;
  bool listening_ = false;
};

}  // namespace pmx::http
