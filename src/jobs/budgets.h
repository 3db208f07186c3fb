// What the workers of all lanes share of the pace: the read and write budgets, and the write concurrency.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/async.h"
#include "pace/concurrency_limit.h"
#include "pace/page_cost.h"
#include "pace/unit_budget.h"

namespace messina::jobs {

/// The RCU that reads may take, over all lanes. Thread-safe; asked once a page.
class ReadBudget {
 public:
  explicit ReadBudget(MonoTime now) : budget_(std::nullopt, now), cost_(1, std::nullopt) {}
  /// Before the first page: see pace::PageCost.
  void expect(double consistency, std::optional<double> units_per_item, std::optional<double> table_units);

  /// A page that is to be read. Ends with answered() if ask() let it go, else with give_up().
  struct Request {
    pace::UnitBudget::Place place = pace::UnitBudget::kNoPlace;
    std::uint32_t items = 0;  ///< at most; 0: as many as the server gives
    double charge = 0;
  };
  /// nullopt: go, and `request` says how. Else ask again after that nap.
  std::optional<Duration> ask(MonoTime now, Request& request);
  void give_up(Request& request);
  /// The same for a lookup of keys that should cost `units` > 0; ends with answered_units(), or give_up().
  std::optional<Duration> ask_units(MonoTime now, Request& request, double units);
  /// What it really cost; 0 if it failed.
  void answered_units(MonoTime now, const Request& request, double units);
  /// `items` of a page that cost `units`; 0 and 0 for a read that failed.
  void answered(MonoTime now, const Request& request, std::size_t items, double units);

  void set_rate(MonoTime now, std::optional<double> units_per_s);
  std::optional<double> rate() const;
  /// Units of all reads until now.
  double total() const;

 private:
  mutable std::mutex mutex_;
  pace::UnitBudget budget_;
  pace::PageCost cost_;
};

/// The WCU that writes may take, over all lanes. Thread-safe; asked once a batch while there is a limit.
class WriteBudget {
 public:
  explicit WriteBudget(MonoTime now) : budget_(std::nullopt, now) {}
  bool limited() const { return limited_.load(std::memory_order_relaxed); }

  struct Request {
    pace::UnitBudget::Place place = pace::UnitBudget::kNoPlace;
    double units = 0;  ///< by the sizes of the items
    double charge = 0;
  };
  /// nullopt: go. Else ask again after that nap. With `now_or_never` it is charged without waiting.
  std::optional<Duration> ask(MonoTime now, Request& request, bool now_or_never);
  void give_up(Request& request);
  /// `units`: what the server said, 0 if it did not execute it; nullopt: it does not say.
  void answered(MonoTime now, const Request& request, std::optional<double> units);

  void set_rate(MonoTime now, std::optional<double> units_per_s);
  double total() const;

 private:
  mutable std::mutex mutex_;
  std::atomic<bool> limited_{false};
  pace::UnitBudget budget_;
  double cost_per_unit_ = 1;  // what is charged for a unit of size: indexes cost more, and JSON is longer
};

/// How many write() calls are on the wire: sets the semaphore's capacity. Thread-safe.
class WriteLimit {
 public:
  /// `fixed`: not found but given.
  WriteLimit(AsyncSemaphore& permits, std::optional<std::uint32_t> fixed,
             pace::ConcurrencyLimit::Bounds bounds)
      : permits_(&permits), fixed_(fixed), found_(bounds) {}

  /// A write was executed, `latency` after it was sent. No lock.
  void answered(Duration latency) {
    answers_.fetch_add(1, std::memory_order_relaxed);
    latency_ns_.fetch_add(std::chrono::nanoseconds(latency).count(), std::memory_order_relaxed);
  }
  /// The target asked for fewer.
  void refused(MonoTime now);
  /// True if a permit in hand should be given back, since there are too many out. No lock.
  bool one_too_many() {
    return excess_.load(std::memory_order_relaxed) > 0 && excess_.fetch_sub(1, std::memory_order_relaxed) > 0;
  }

  void tick(MonoTime now);
  /// nullopt: to be found.
  void fix(std::optional<std::uint32_t> fixed);
  /// From now on nobody waits for a permit.
  void close();

  std::uint32_t limit() const;
  std::string why() const;

 private:
  void apply();

  AsyncSemaphore* permits_;
  mutable std::mutex mutex_;
  std::optional<std::uint32_t> fixed_;
  pace::ConcurrencyLimit found_;
  bool closed_ = false;
  std::atomic<std::uint64_t> answers_{0};
  std::atomic<std::int64_t> latency_ns_{0};
  std::atomic<std::int64_t> excess_{0};
};

}  // namespace messina::jobs
