// The Loop of a simulated process: an Asio executor without threads, whose next step a seeded scheduler draws
// from all that are ready, and timers in virtual time.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include "base/async.h"
#include "universe.h"

namespace messina::simulation {

class SimLoop final : public Loop {
 public:
  explicit SimLoop(Universe& universe) : universe_(universe) {}
  ~SimLoop() override { destroy_everything(); }
  SimLoop(const SimLoop&) = delete;
  SimLoop& operator=(const SimLoop&) = delete;

  asio::any_io_executor executor() override;
  MonoTime now() const override { return universe_.now(); }
  WallTime wall() const override { return universe_.wall(); }
  Task<void> sleep_until(MonoTime until, Stop* stop) override;

  /// Runs one ready step, drawn by the universe's order; false if none is ready.
  bool run_one();
  bool has_timer() const { return !timers_.empty(); }
  MonoTime next_timer() const { return timers_.begin()->first.first; }
  /// Makes the timers that are due ready.
  void fire_due_timers();

  /// Runs one step, or lets time go on to the next; false if nothing is left to wait for.
  bool step();
  /// The same on a busy machine: time passes now and then while steps are ready.
  bool step_busily();
  /// Lets the world's events up to `time` happen, and then the loop's timers.
  void advance_to(MonoTime time);

  /// kill -9: destroys every coroutine frame and every waiting handler. Whatever their destructors post is
  /// destroyed too.
  void destroy_everything();

 private:
  using Work = std::move_only_function<void()>;

  struct Context : asio::execution_context {
    ~Context() {
      shutdown();
      destroy();
    }
  };

  /// The executor that Asio's coroutines run on.
  class Executor {
   public:
    explicit Executor(SimLoop* loop) : loop_(loop) {}
    asio::execution_context& query(asio::execution::context_t) const noexcept { return loop_->context_; }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
      return asio::execution::blocking.never;
    }
    Executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
    template <class Function>
    void execute(Function function) const {
      loop_->ready_.emplace_back(std::move(function));
    }
    friend bool operator==(const Executor& a, const Executor& b) noexcept { return a.loop_ == b.loop_; }
    friend bool operator!=(const Executor& a, const Executor& b) noexcept { return a.loop_ != b.loop_; }

   private:
    SimLoop* loop_;
  };

  void fire(std::uint64_t id);
  friend bool step_busily(std::span<SimLoop* const> loops);

  Universe& universe_;
  Context context_;
  std::vector<Work> ready_;
  std::map<std::pair<MonoTime, std::uint64_t>, Work> timers_;
  std::map<std::uint64_t, MonoTime> due_;  ///< of each timer, to find it when its sleep is cut short
  std::uint64_t next_timer_id_ = 1;
};

/// SimLoop::step_busily() of processes that run beside each other, at least one, in one universe.
bool step_busily(std::span<SimLoop* const> loops);

}  // namespace messina::simulation
