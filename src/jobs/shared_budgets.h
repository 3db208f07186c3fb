// Limits over several copies that run at once.
#pragma once
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/async.h"
#include "pace/unit_budget.h"

namespace messina::jobs {

/// What the tables of one run share. Each job keeps limits of its own beside it. Everything is given out in
/// the order in which it is asked for, so a table gets as much as it has workers that ask. Thread-safe;
/// outlives the jobs and their loops.
struct SharedBudgets {
  struct Limits {
    std::uint64_t memory_bytes = 256u << 20;
    std::uint32_t write_concurrency = 16;
    std::optional<double> read_rcu_per_s;  ///< absent: unlimited
  };
  SharedBudgets(const Limits& limits, MonoTime now)
      : started_with(limits),
        memory(static_cast<std::int64_t>(limits.memory_bytes)),
        writes(limits.write_concurrency),
        reads(limits.read_rcu_per_s, now) {}

  /// Set by hand; nullopt: back to what the run was started with. What is out already stays out.
  void set_read_rcu(MonoTime now, std::optional<double> rcu_per_s) {
    reads.set_rate(now, rcu_per_s ? rcu_per_s : started_with.read_rcu_per_s);
  }
  void set_write_concurrency(std::optional<std::uint32_t> batches) {
    writes.set_capacity(batches.value_or(started_with.write_concurrency));
  }

  const Limits started_with;
  AsyncSemaphore memory;  ///< bytes of pages
  AsyncSemaphore writes;  ///< write() calls on the wire

  class Reads {
   public:
    Reads(std::optional<double> rcu_per_s, MonoTime now) : budget_(rcu_per_s, now) {}
    /// A page that is to be read. Ends with answered() if ask() let it go, else with give_up().
    struct Request {
      pace::UnitBudget::Place place = pace::UnitBudget::kNoPlace;
      double charge = 0;
    };
    /// `amount` > 0: what it will cost. nullopt: go. Else ask again after that nap.
    std::optional<Duration> ask(MonoTime now, Request& request, double amount) {
      const std::lock_guard lock(mutex_);
      const pace::UnitBudget::Turn turn = budget_.take(now, request.place, amount);
      if (!turn.granted) return turn.nap;
      request.charge = amount;
      return std::nullopt;
    }
    void give_up(Request& request) {
      const std::lock_guard lock(mutex_);
      if (request.place != pace::UnitBudget::kNoPlace) budget_.leave(request.place);
    }
    /// What it really cost; 0 if it failed.
    void answered(MonoTime now, const Request& request, double units) {
      const std::lock_guard lock(mutex_);
      budget_.settle(now, request.charge, units);
    }
    /// From now on; those that wait too. nullopt: no limit.
    void set_rate(MonoTime now, std::optional<double> rcu_per_s) {
      const std::lock_guard lock(mutex_);
      budget_.set_rate(now, rcu_per_s);
    }
    std::optional<double> rate() const {
      const std::lock_guard lock(mutex_);
      return budget_.rate();
    }

   private:
    mutable std::mutex mutex_;
    pace::UnitBudget budget_;
  } reads;
};

/// A job's limit on its writes, under one that it shares with others. Has the interface of AsyncSemaphore.
class Permits {
 public:
  Permits(std::int64_t capacity, AsyncSemaphore* shared) : own_(capacity), shared_(shared) {}

  class Permit {
   public:
    std::int64_t amount() const { return own_.amount(); }
    void release() {
      shared_.release();
      own_.release();
    }

   private:
    friend class Permits;
    AsyncSemaphore::Lease own_, shared_;
  };

  Task<Permit> acquire(std::int64_t amount) {
    Permit permit;
    permit.own_ = co_await own_.acquire(amount);
    if (shared_ != nullptr) permit.shared_ = co_await shared_->acquire(amount);
    co_return permit;
  }
  bool try_acquire(std::int64_t amount, Permit& permit) {
    Permit fresh;
    if (!own_.try_acquire(amount, fresh.own_)) return false;
    if (shared_ != nullptr && !shared_->try_acquire(amount, fresh.shared_)) return false;
    permit = std::move(fresh);
    return true;
  }
  std::int64_t capacity() const { return own_.capacity(); }
  std::int64_t free() const { return own_.free(); }
  bool contended() const { return own_.contended() || (shared_ != nullptr && shared_->contended()); }
  /// The job's own limit.
  AsyncSemaphore& own() { return own_; }

 private:
  AsyncSemaphore own_;
  AsyncSemaphore* shared_;
};

}  // namespace messina::jobs
