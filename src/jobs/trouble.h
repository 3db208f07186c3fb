// What went wrong last and is being tried again, for the status.
#pragma once
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace messina::jobs {

/// Thread-safe.
class Trouble {
 public:
  /// How long a trouble is worth telling.
  static constexpr Duration kLasts = std::chrono::seconds(30);

  void note(const Error& error, MonoTime now) {
    const std::lock_guard lock(mutex_);
    text_ = error.message;
    at_ = now;
  }
  /// Empty if nothing went wrong for kLasts and `longer`.
  std::string recent(MonoTime now, Duration longer) const {
    const std::lock_guard lock(mutex_);
    return now - at_ < kLasts + longer ? text_ : std::string();
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
  MonoTime at_{};
};

}  // namespace messina::jobs
