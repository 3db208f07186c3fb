#include "net/event_loop.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

namespace messina::net {
namespace {

using namespace std::chrono_literals;

Task<std::thread::id> where() { co_return std::this_thread::get_id(); }
Task<void> throw_one() {
  throw std::runtime_error("thrown inside");
  co_return;
}

struct NoDefault {
  explicit NoDefault(int value) : number(std::make_unique<int>(value)) {}
  std::unique_ptr<int> number;
};
Task<NoDefault> make_one(int value) { co_return NoDefault(value); }

TEST(EventLoop, RunsTasksOnItsOwnThread) {
  EventLoop loop("test");
  const auto first = run_on(loop, where());
  EXPECT_TRUE(first != std::this_thread::get_id());
  EXPECT_TRUE(first == run_on(loop, where()));
}

TEST(EventLoop, RunOnReturnsWhatOnlyMovesAndRethrows) {
  EventLoop loop("test");
  EXPECT_EQ(*run_on(loop, make_one(7)).number, 7);
  EXPECT_THROW(run_on(loop, throw_one()), std::runtime_error);
}

TEST(EventLoop, SleepsUntilTheTime) {
  EventLoop loop("test");
  const MonoTime until = loop.now() + 20ms;
  run_on(loop, loop.sleep_until(until, nullptr));
  EXPECT_GE(loop.now(), until);
}

Task<void> sleep_and_tell(EventLoop* loop, Stop* stop, std::promise<void>* asleep) {
  const MonoTime until = loop->now() + 1h;
  asleep->set_value();
  co_await loop->sleep_until(until, stop);
}

TEST(EventLoop, AStopEndsASleepFromAnyThread) {
  EventLoop loop("test");
  for (int i = 0; i < 200; ++i) {
    Stop stop;
    std::promise<void> asleep;
    std::thread stopper([&] {
      asleep.get_future().wait();
      stop.request();
    });
    run_on(loop, sleep_and_tell(&loop, &stop, &asleep));
    stopper.join();
  }
}

TEST(EventLoop, AStopAskedForBeforeEndsASleepAtOnce) {
  EventLoop loop("test");
  Stop stop;
  stop.request();
  run_on(loop, loop.sleep_for(1h, &stop));
}

TEST(EventLoop, AStopMayCoincideWithTheEndOfTheSleep) {
  for (int i = 0; i < 200; ++i) {
    Stop stop;
    auto loop = std::make_unique<EventLoop>("test");
    std::thread stopper([&] { stop.request(); });
    run_on(*loop, loop->sleep_for(0ms, &stop));
    stopper.join();
  }
}

struct Ending {
  std::shared_ptr<bool> ended;
  ~Ending() { *ended = true; }
};

Task<void> sleep_holding(EventLoop* loop, std::shared_ptr<bool> ended) {
  const Ending ending{std::move(ended)};
  co_await loop->sleep_for(1h, nullptr);
}

TEST(EventLoop, DestroysUnfinishedCoroutinesAtItsEnd) {
  const auto ended = std::make_shared<bool>(false);
  {
    EventLoop loop("test");
    asio::co_spawn(loop.executor(), sleep_holding(&loop, ended), asio::detached);
    run_on(loop, where());
    EXPECT_FALSE(*ended);
  }
  EXPECT_TRUE(*ended);
}

Task<void> burn(EventLoop* loop, std::chrono::nanoseconds time) {
  const auto start = loop->cpu_time();
  while (loop->cpu_time() - start < time) {
  }
  co_return;
}

TEST(EventLoop, CountsTheCpuTimeOfItsThreadOnly) {
  EventLoop busy("busy");
  EventLoop idle("idle");
  run_on(busy, burn(&busy, 20ms));
  EXPECT_GE(busy.cpu_time(), 20ms);
  EXPECT_LT(idle.cpu_time(), busy.cpu_time());
}

}  // namespace
}  // namespace messina::net
