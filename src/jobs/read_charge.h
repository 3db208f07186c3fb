// One read's way through the budgets that it draws on.
#pragma once
#include <cstdint>
#include <optional>
#include <utility>

#include "jobs/budgets.h"
#include "jobs/shared_budgets.h"

namespace messina::jobs {

/// A read that is charged to the budget of its table and then, where several tables are read at once, to the
/// one of all. Ends with one of the answers, or with give_up(). Used by one coroutine; the budgets outlive
/// it.
class ReadCharge {
 public:
  /// `shared` may be null.
  ReadCharge(ReadBudget& own, SharedBudgets* shared)
      : own_(own), shared_(shared != nullptr ? &shared->reads : nullptr) {}

  /// For a page of a scan. nullopt: go. Else ask again after that nap.
  std::optional<Duration> ask(MonoTime now) {
    return in_turn(now, [&] { return own_.ask(now, of_own_); });
  }
  /// The same for a lookup of keys that should cost `units` > 0.
  std::optional<Duration> ask_units(MonoTime now, double units) {
    return in_turn(now, [&] { return own_.ask_units(now, of_own_, units); });
  }
  /// Of the page that ask() let go: so many at most; 0: as many as the server gives.
  std::uint32_t items() const { return of_own_.items; }
  void at_most(std::uint32_t items) {
    if (of_own_.items == 0 || of_own_.items > items) of_own_.items = items;
  }

  /// `items` of a page that cost `units`; 0 and 0 for a read that failed.
  void answered(MonoTime now, std::size_t items, double units) {
    own_.answered(now, of_own_, items, units);
    if (shared_ != nullptr) shared_->answered(now, of_shared_, units);
  }
  /// What a lookup really cost; 0 if it failed.
  void answered_units(MonoTime now, double units) {
    own_.answered_units(now, of_own_, units);
    if (shared_ != nullptr) shared_->answered(now, of_shared_, units);
  }
  /// Gives back the places in the lines, and what was charged already. It may be asked for anew.
  void give_up(MonoTime now) {
    if (std::exchange(charged_, false))
      own_.answered_units(now, of_own_, 0);
    else
      own_.give_up(of_own_);
    if (shared_ != nullptr) shared_->give_up(of_shared_);
  }

 private:
  template <class AskOwn>
  std::optional<Duration> in_turn(MonoTime now, AskOwn ask_own) {
    if (!charged_) {
      if (const std::optional<Duration> nap = ask_own()) return nap;
      charged_ = true;
    }
    if (shared_ == nullptr) return std::nullopt;
    return shared_->ask(now, of_shared_, of_own_.charge);
  }

  ReadBudget& own_;
  SharedBudgets::Reads* shared_;
  ReadBudget::Request of_own_;
  SharedBudgets::Reads::Request of_shared_;
  bool charged_ = false;  // to the table's own budget
};

}  // namespace messina::jobs
