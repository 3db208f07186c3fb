// A rate limit that is charged estimates and corrected with what things really cost.
#pragma once
#include "base/clock.h"

namespace messina::pace {

/// Tokens of any unit (RCU, items, bytes) at a rate per second. Pure: the time is handed in, and the caller
/// does the waiting. Debts are allowed: a reservation always succeeds and says when it may be used, so
/// callers are served in the order in which they asked, and one that is larger than the burst passes after
/// its time instead of never. Not thread-safe.
class TokenBucket {
 public:
  /// `rate` > 0 in tokens per second. `burst` ≥ 0: how many tokens pile up at most while nobody takes any.
  /// Starts full.
  TokenBucket(double rate, double burst, MonoTime now);

  /// Takes `amount` now and says how long to wait before using it; zero if the tokens were there. Time that
  /// goes backwards is taken as standing still.
  Duration reserve(MonoTime now, double amount);
  /// How long a reservation would have to wait, without making it.
  Duration wait_for(MonoTime now, double amount) const;
  /// What was reserved as `estimated` really cost `actual`: later reservations pay or gain the difference.
  void correct(double estimated, double actual);
  /// From `now` on. Debts stay, and are paid off at the new rate. Reservations that were given a wait keep
  /// it.
  void set_rate(MonoTime now, double rate);
  void set_burst(MonoTime now, double burst);

  double rate() const { return rate_; }
  double burst() const { return burst_; }
  /// Negative: in debt.
  double tokens(MonoTime now) const;

 private:
  void advance(MonoTime now);

  double rate_;
  double burst_;
  double tokens_;
  MonoTime as_of_;
};

}  // namespace messina::pace
