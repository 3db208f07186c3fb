// Units that refill with time.
#pragma once
#include <algorithm>

#include "base/clock.h"

namespace messina::sim {

/// Capacity units that refill with time. May run into debt: a request larger than what is left still passes
/// once.
class TokenBucket {
 public:
  TokenBucket() = default;
  /// Starts with one second's worth.
  TokenBucket(double per_second, double burst_seconds, MonoTime now)
      : rate_(per_second), cap_(per_second * burst_seconds), tokens_(per_second), at_(now) {}
  bool limited() const { return rate_ > 0; }
  /// Takes `units` if anything is left; false means throttled.
  bool take(double units, MonoTime now) {
    if (!limited()) return true;
    tokens_ = std::min(cap_, tokens_ + rate_ * std::chrono::duration<double>(now - at_).count());
    at_ = now;
    if (tokens_ <= 0) return false;
    tokens_ -= units;
    return true;
  }

 private:
  double rate_ = 0;
  double cap_ = 0;
  double tokens_ = 0;
  MonoTime at_{};
};

}  // namespace messina::sim
