// Wakes a coroutine that sleeps until there is something to do.
#pragma once
#include <memory>
#include <mutex>

#include "base/async.h"

namespace messina::jobs {

/// One coroutine waits, anybody rings. A ring while nobody waits ends the next wait at once. Thread-safe.
class Bell {
 public:
  void ring() {
    std::shared_ptr<Stop> sleeper;
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
      sleeper = sleeper_;
    }
    if (sleeper) sleeper->request();
  }

  /// Returns at `until`, or soon after a ring.
  Task<void> wait(Loop& loop, MonoTime until) {
    const auto sleeper = std::make_shared<Stop>();
    if (!lie_down(sleeper)) co_return;
    co_await loop.sleep_until(until, sleeper.get());
    const std::lock_guard lock(mutex_);
    sleeper_.reset();
    rung_ = false;
  }

 private:
  bool lie_down(const std::shared_ptr<Stop>& sleeper) {
    const std::lock_guard lock(mutex_);
    if (rung_) {
      rung_ = false;
      return false;
    }
    sleeper_ = sleeper;
    return true;
  }

  std::mutex mutex_;
  bool rung_ = false;
  std::shared_ptr<Stop> sleeper_;
};

}  // namespace messina::jobs
