// What we consumed ourselves, by the wall clock, to be taken off a table's total.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>

#include "base/clock.h"

namespace messina::pace {

/// Units by second, for the last kKept. Pure; not thread-safe.
class UseHistory {
 public:
  static constexpr std::chrono::minutes kKept{15};

  void add(WallTime at, double units) {
    seconds_[second(at)] += units;
    while (!seconds_.empty() && seconds_.begin()->first < second(at - kKept))
      seconds_.erase(seconds_.begin());
  }
  /// Of the seconds that begin in [from, to).
  double between(WallTime from, WallTime to) const {
    double sum = 0;
    const auto end = seconds_.lower_bound(second(to));
    for (auto at = seconds_.lower_bound(second(from)); at != end; ++at) sum += at->second;
    return sum;
  }

 private:
  static std::int64_t second(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  }
  std::map<std::int64_t, double> seconds_;
};

}  // namespace messina::pace
