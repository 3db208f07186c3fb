// What a coroutine needs of its surroundings: where it runs, how it waits, how it is stopped.
//
// Jobs see only these types, so that a test can run them on one thread in virtual time (tests/simulation) and
// production on one Asio event loop per core (net/event_loop.h).
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/clock.h"

namespace messina {

namespace asio = boost::asio;

/// GCC 12 miscompiles temporaries inside `co_await f(T{…})`: name the arguments first, and give coroutine
/// lambdas their state as parameters, not captures.
template <class T>
using Task = asio::awaitable<T>;

/// A request to stop, shared by all coroutines of a job. Thread-safe. It only asks: each loop looks at
/// requested() at its safe points, and sleeps given the Stop end early.
class Stop {
 public:
  /// Idempotent. Runs the callbacks on the calling thread (never call it from a signal handler).
  void request();
  bool requested() const;

  /// Calls `callback` once when the stop is asked for (at once if it already was) until the registration
  /// dies.
  class Registration {
   public:
    Registration() = default;
    Registration(Stop* stop, std::uint64_t id) : stop_(stop), id_(id) {}
    Registration(Registration&& other) noexcept
        : stop_(std::exchange(other.stop_, nullptr)), id_(other.id_) {}
    Registration& operator=(Registration&& other) noexcept;
    ~Registration() { reset(); }
    void reset();

   private:
    Stop* stop_ = nullptr;
    std::uint64_t id_ = 0;
  };
  [[nodiscard]] Registration on_request(std::function<void()> callback);

 private:
  mutable std::mutex mutex_;
  bool requested_ = false;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::function<void()>> callbacks_;
};

/// Where coroutines run and how they wait: an event loop on one thread, or the simulation's scheduler.
/// Everything awaited on a loop resumes on it. Lives longer than every coroutine spawned on it.
class Loop : public Clock {
 public:
  virtual asio::any_io_executor executor() = 0;
  /// Returns at `until`, or soon after `stop` is requested. `stop` may be null.
  virtual Task<void> sleep_until(MonoTime until, Stop* stop) = 0;

  Task<void> sleep_for(Duration duration, Stop* stop) { return sleep_until(now() + duration, stop); }
};

/// A counting semaphore for coroutines of any loop: the byte budget, the concurrency limits. Thread-safe;
/// first come, first served, so a large request is not starved. A waiter resumes on its own executor. Holders
/// must be bounded by deadlines of their own: waiting here has none. Must outlive its leases and waiters.
class AsyncSemaphore {
 public:
  explicit AsyncSemaphore(std::int64_t capacity) : capacity_(capacity), free_(capacity) {}

  /// What was taken; gives it back when it dies. Movable. May be used from any thread, by one at a time.
  class Lease {
   public:
    Lease() = default;
    Lease(AsyncSemaphore* from, std::int64_t amount) : from_(from), amount_(amount) {}
    Lease(Lease&& other) noexcept
        : from_(std::exchange(other.from_, nullptr)), amount_(std::exchange(other.amount_, 0)) {}
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { release(); }
    void release();
    std::int64_t amount() const { return amount_; }
    /// Corrects an estimate. Growing never waits: it may overdraw, and later acquisitions wait for it.
    void adjust(std::int64_t amount);

   private:
    AsyncSemaphore* from_ = nullptr;
    std::int64_t amount_ = 0;
  };

  /// Waits until `amount` is free. More than the capacity is granted when all is free, so that one oversized
  /// request passes alone instead of never.
  Task<Lease> acquire(std::int64_t amount);
  /// The same without waiting; an empty optional if it would have to.
  bool try_acquire(std::int64_t amount, Lease& lease);

  std::int64_t capacity() const;
  /// May be negative after overdrawing.
  std::int64_t free() const;
  /// True while somebody waits: then this is what holds the speed.
  bool contended() const;
  /// Takes effect for waiters at once; leases in hand stay valid.
  void set_capacity(std::int64_t capacity);

 private:
  struct Waiter {
    std::int64_t amount;
    Lease* lease;  ///< in the coroutine that waits
    std::function<void()> resume;
  };
  void give_back(std::int64_t amount);
  bool fits(std::int64_t amount) const { return free_ >= amount || free_ == capacity_; }
  void wake(std::unique_lock<std::mutex>& lock);

  mutable std::mutex mutex_;
  std::int64_t capacity_;
  std::int64_t free_;
  std::deque<Waiter> waiters_;
};

}  // namespace messina
