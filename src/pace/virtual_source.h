// For tests and bench/: workers that read a modelled table in virtual time, under a UnitBudget and a
// PageCost, as the copy does.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/random.h"
#include "pace/page_cost.h"
#include "pace/unit_budget.h"

namespace messina::pace {

struct SourceModel {
  double item_bytes = 1000;
  double spread = 0;  ///< item sizes are even between (1 − spread) and (1 + spread) of item_bytes
  double consistency = 1;
  std::uint64_t seed = 1;
  Duration page_time = std::chrono::milliseconds(200);
  /// Up to this later: timers on a busy loop.
  Duration late_timers = std::chrono::milliseconds(3);
};

class VirtualSource {
 public:
  using Seconds = std::chrono::duration<double>;

  explicit VirtualSource(SourceModel model) : model_(model), random_(model.seed) {}

  void set_rate_at(Duration at, double rate) {
    at_time(kStart + at, [this, rate] { budget_->set_rate(now_, rate); });
  }
  /// `also` runs at its time, before the workers of that moment.
  void at(Duration time, std::function<void()> also) { at_time(kStart + time, std::move(also)); }
  UnitBudget& budget() { return *budget_; }
  MonoTime now() const { return now_; }
  Duration elapsed() const { return now_ - kStart; }
  /// Called with the units of each page when it executes; false: throttled, and the worker tries again.
  std::function<bool(double)> admit = [](double) { return true; };

  void run(std::optional<double> rate, std::optional<double> hint, int workers, Duration time) {
    budget_.emplace(rate, kStart);
    cost_.emplace(model_.consistency, hint);
    for (int i = 0; i < workers; ++i) at_time(kStart, [this] { ask(UnitBudget::kNoPlace); });
    while (!events_.empty() && events_.begin()->first < kStart + time) {
      const auto event = events_.extract(events_.begin());
      now_ = event.key();
      event.mapped()();
    }
    events_.clear();
  }

  /// The most that any stretch of `window` held.
  double most_in_window(Duration window) const {
    double sum = 0, most = 0;
    std::size_t first = 0;
    for (const Spent& last : spent_) {
      sum += last.units;
      while (spent_[first].at + window <= last.at) sum -= spent_[first++].units;
      most = std::max(most, sum);
    }
    return most;
  }
  double spent_between(Duration from, Duration to) const {
    double sum = 0;
    for (const Spent& one : spent_) sum += one.at >= kStart + from && one.at < kStart + to ? one.units : 0;
    return sum;
  }

 private:
  static constexpr MonoTime kStart{std::chrono::hours(1)};
  struct Spent {
    MonoTime at;
    double units;
  };

  void at_time(MonoTime time, std::function<void()> what) { events_.emplace(time, std::move(what)); }

  void ask(UnitBudget::Place place) {
    const PageCost::Ask wish = cost_->next(budget_->rate());
    const UnitBudget::Turn turn = budget_->take(now_, place, wish.charge);
    if (turn.granted) {
      read(wish);
      return;
    }
    const auto late = Duration(
        static_cast<Duration::rep>(random_.unit() * static_cast<double>(model_.late_timers.count())));
    at_time(now_ + turn.nap + late, [this, place] { ask(place); });
  }

  void read(const PageCost::Ask& wish) {
    static constexpr double kPageBytes = 1 << 20;
    double bytes = 0;
    std::size_t items = 0;
    while (bytes < kPageBytes && (wish.items == 0 || items < wish.items)) {
      bytes += std::max(40.0, model_.item_bytes * (1 + model_.spread * (2 * random_.unit() - 1)));
      ++items;
    }
    const double units = std::ceil(std::min(bytes, kPageBytes) / 4096) * model_.consistency;
    const bool admitted = admit(units);
    if (admitted) spent_.push_back({now_, units});
    at_time(now_ + model_.page_time, [this, wish, items, units, admitted] {
      budget_->settle(now_, wish.charge, admitted ? units : 0);
      if (admitted) cost_->learn(wish.items, items, units);
      ask(UnitBudget::kNoPlace);
    });
  }

  SourceModel model_;
  Random random_;
  MonoTime now_ = kStart;
  std::multimap<MonoTime, std::function<void()>> events_;
  std::optional<UnitBudget> budget_;
  std::optional<PageCost> cost_;
  std::vector<Spent> spent_;
};

}  // namespace messina::pace
