#include "sim_loop.h"

#include <memory>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

namespace messina::simulation {
namespace {

struct Trace {
  std::string text;
  int alive = 0;
};

struct Alive {
  explicit Alive(Trace* of) : trace(of) { ++trace->alive; }
  Alive(const Alive&) = delete;
  ~Alive() { --trace->alive; }
  Trace* trace;
};

Task<void> sleeper(SimLoop& loop, Trace& trace, char name, Duration pause, Stop* stop) {
  const Alive alive(&trace);
  for (int i = 0; i < 3; ++i) {
    co_await loop.sleep_for(pause, stop);
    trace.text += name;
  }
}

Task<void> taker(AsyncSemaphore& semaphore, Trace& trace) {
  const Alive alive(&trace);
  const AsyncSemaphore::Lease lease = co_await semaphore.acquire(1);
  trace.text += 't';
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

void run(Universe& universe, SimLoop& loop, int steps) {
  for (; steps > 0; --steps) {
    if (loop.run_one()) continue;
    if (!loop.has_timer()) return;
    universe.advance_to(loop.next_timer());
    loop.fire_due_timers();
  }
}

TEST(SimLoop, RunsInVirtualTime) {
  Universe universe(1);
  SimLoop loop(universe);
  Trace trace;
  const MonoTime start = loop.now();
  asio::co_spawn(loop.executor(), sleeper(loop, trace, 'a', std::chrono::hours(2), nullptr), rethrow);
  asio::co_spawn(loop.executor(), sleeper(loop, trace, 'b', std::chrono::hours(5), nullptr), rethrow);
  run(universe, loop, 1000);
  EXPECT_EQ(trace.text,
            "aabab"
            "b");
  EXPECT_EQ(loop.now() - start, std::chrono::hours(15));
  EXPECT_EQ(trace.alive, 0);
}

TEST(SimLoop, AStopCutsASleepShort) {
  Universe universe(1);
  SimLoop loop(universe);
  Trace trace;
  Stop stop;
  const MonoTime start = loop.now();
  asio::co_spawn(loop.executor(), sleeper(loop, trace, 'a', std::chrono::hours(2), &stop), rethrow);
  while (loop.run_one()) {
  }
  stop.request();
  run(universe, loop, 1000);
  EXPECT_EQ(trace.text, "aaa");
  EXPECT_EQ(loop.now(), start);
}

TEST(SimLoop, ACrashDestroysEveryFrameAtAnyStep) {
  for (int steps = 0; steps < 30; ++steps) {
    Universe universe(static_cast<std::uint64_t>(steps));
    Trace trace;
    {
      AsyncSemaphore semaphore(1);
      {
        SimLoop loop(universe);
        asio::co_spawn(loop.executor(), sleeper(loop, trace, 'a', std::chrono::seconds(1), nullptr), rethrow);
        asio::co_spawn(loop.executor(), sleeper(loop, trace, 'b', std::chrono::seconds(2), nullptr), rethrow);
        for (int i = 0; i < 3; ++i) asio::co_spawn(loop.executor(), taker(semaphore, trace), rethrow);
        run(universe, loop, steps);
        semaphore.set_capacity(
            100);  // as a dying process does: waiters are handed to the loop, which destroys them
      }
      EXPECT_EQ(trace.alive, 0) << steps;
    }
  }
}

}  // namespace
}  // namespace messina::simulation
