// When a running job last saw that a table is still the one it works on.
#pragma once
#include <atomic>

#include "base/clock.h"

namespace messina::jobs {

/// Thread-safe. While nobody looks, nothing depends on it.
class Sight {
 public:
  /// By a look that was asked for at `asked` and showed what it should.
  void seen(MonoTime asked) { asked_ = asked; }
  /// MonoTime::max() while nobody looks.
  MonoTime seen_at() const { return asked_; }
  /// What was seen counts for so long.
  MonoTime counts_until(Duration lasts) const {
    const MonoTime asked = asked_;
    return asked == MonoTime::max() ? asked : asked + lasts;
  }

  /// Somebody waits for a look that is still to be asked for.
  void want() { wanted_ = true; }
  bool take_wish() { return wanted_.exchange(false); }

 private:
  std::atomic<MonoTime> asked_{MonoTime::max()};
  std::atomic<bool> wanted_{false};
};

}  // namespace messina::jobs
