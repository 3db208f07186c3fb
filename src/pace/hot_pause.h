// The pace of one segment whose key range is hot.
#pragma once
#include <algorithm>

#include "base/clock.h"

namespace messina::pace {

/// The pause between a segment's requests: doubled when its key range is throttled, shortened by a tenth with
/// each request that is not. So a hot partition slows its own segment to what it can bear, and no other.
/// Pure; not thread-safe.
class HotPause {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(100);
  static constexpr Duration kMost = std::chrono::seconds(10);
  static constexpr Duration kLeast = std::chrono::milliseconds(10);

  void throttled() { pause_ = std::clamp(pause_ * 2, kFirst, kMost); }
  void answered() {
    pause_ = pause_ * 9 / 10;
    if (pause_ < kLeast) pause_ = Duration::zero();
  }
  Duration pause() const { return pause_; }

 private:
  Duration pause_{};
};

}  // namespace messina::pace
