// Capacity units a second, given out in the order in which they are asked for.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"

namespace messina::pace {

/// A rate of RCU or WCU. What a request will cost is charged by an estimate before it is sent and corrected
/// by its answer, so what is in flight can never be more than was saved up. Nothing is promised ahead:
/// whoever waits has a place in the line and asks again after a nap, so a wrong estimate, a new rate or a
/// refund takes effect at once for all that have not been sent.
///
/// In any stretch of time no more is given out than rate × time plus what may be saved up: kBurst of the rate
/// and the largest amount that is waited for. Pure: the time is handed in, and the caller naps.
/// Not thread-safe.
class UnitBudget {
 public:
  /// What may be saved up while nobody asks: it evens out late timers, and no more.
  static constexpr std::chrono::milliseconds kBurst{50};

  /// `rate` > 0 in units per second; nullopt: no limit. Starts with nothing saved up.
  UnitBudget(std::optional<double> rate, MonoTime now) : as_of_(now) { set_rate(now, rate); }

  /// A place in the line; kNoPlace before one is taken, and after it was granted or left.
  using Place = std::uint64_t;
  static constexpr Place kNoPlace = 0;
  struct Turn {
    bool granted = false;  ///< the amount is charged: go
    Duration nap{};        ///< else: ask again after this, over 0
  };
  /// Asks for `amount` > 0; it may differ from what was asked for last with this place.
  Turn take(MonoTime now, Place& place, double amount);
  /// Gives the place up. Nothing was charged for it.
  void leave(Place& place);
  /// Charges without waiting: what must be sent now makes others wait.
  void charge(MonoTime now, double amount);
  /// What was charged as `charged` really cost `actual`; 0 if it was not sent, or not executed.
  void settle(MonoTime now, double charged, double actual);

  /// From now on. Debts stay, and are paid off at the new rate.
  void set_rate(MonoTime now, std::optional<double> rate);
  std::optional<double> rate() const { return rate_; }
  /// What was charged until now, as far as it is known: the actual costs, and the estimates of what is in
  /// flight.
  double charged_total() const { return total_; }
  bool somebody_waits() const { return !line_.empty(); }

 private:
  struct Waiting {
    Place place;
    double amount;
  };
  double most_saved() const;
  void advance(MonoTime now);

  std::optional<double> rate_;
  double saved_ = 0;  // negative: a debt
  double total_ = 0;
  MonoTime as_of_;
  Place next_place_ = 1;
  std::deque<Waiting> line_;
};

}  // namespace messina::pace
