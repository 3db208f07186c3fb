// SIGINT and SIGTERM: the first asks for a stop, the second ends the process.
#pragma once
#include <functional>
#include <thread>

#include "base/async.h"

namespace messina::cli {

/// Blocks both signals in this thread (and those it starts from now on) and waits for them in one of its own,
/// since a Stop's callbacks may not run in a signal handler. SIGPIPE is ignored. One per process.
class Signals {
 public:
  /// `announce` is called once, on the waiting thread, before the stop is requested. Both outlive this.
  Signals(Stop& stop, std::function<void()> announce);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  void wait(Stop& stop, const std::function<void()>& announce) const;

  int signal_fd_ = -1;
  int end_fd_ = -1;
  std::thread thread_;
};

}  // namespace messina::cli
