#include "base/async.h"

#include <thread>
#include <vector>

#include <boost/asio.hpp>
#include <gtest/gtest.h>

namespace messina {
namespace {

Task<void> take_and_note(AsyncSemaphore& semaphore, std::int64_t amount, int name, std::vector<int>& order) {
  AsyncSemaphore::Lease lease = co_await semaphore.acquire(amount);
  order.push_back(name);
}

Task<void> hold(AsyncSemaphore& semaphore, std::int64_t amount, std::vector<AsyncSemaphore::Lease>& held) {
  AsyncSemaphore::Lease lease = co_await semaphore.acquire(amount);
  held.push_back(std::move(lease));
}

TEST(Stop, RunsCallbacksOnceAndLateOnesAtOnce) {
  Stop stop;
  int early = 0, dropped = 0, late = 0;
  const auto kept = stop.on_request([&] { ++early; });
  {
    const auto gone = stop.on_request([&] { ++dropped; });
  }
  stop.request();
  stop.request();
  const auto after = stop.on_request([&] { ++late; });
  EXPECT_TRUE(stop.requested());
  EXPECT_EQ(early, 1);
  EXPECT_EQ(dropped, 0);
  EXPECT_EQ(late, 1);
}

TEST(AsyncSemaphore, ServesInOrderSoThatLargeRequestsAreNotStarved) {
  asio::io_context context;
  const auto work = asio::make_work_guard(context);
  AsyncSemaphore semaphore(10);
  std::vector<AsyncSemaphore::Lease> held;
  std::vector<int> order;
  asio::co_spawn(context, hold(semaphore, 5, held), asio::detached);
  context.poll();
  asio::co_spawn(context, take_and_note(semaphore, 9, 1, order), asio::detached);
  asio::co_spawn(context, take_and_note(semaphore, 1, 2, order), asio::detached);
  context.poll();
  EXPECT_TRUE(order.empty()) << "1 would fit but came after a large request";
  EXPECT_TRUE(semaphore.contended());
  held.clear();
  context.poll();
  EXPECT_EQ(order, (std::vector{1, 2}));
  EXPECT_EQ(semaphore.free(), 10);
}

TEST(AsyncSemaphore, GrantsAnOversizedRequestAlone) {
  asio::io_context context;
  const auto work = asio::make_work_guard(context);
  AsyncSemaphore semaphore(10);
  std::vector<int> order;
  asio::co_spawn(context, take_and_note(semaphore, 25, 1, order), asio::detached);
  context.poll();
  EXPECT_EQ(order, std::vector{1});
  EXPECT_EQ(semaphore.free(), 10);
}

TEST(AsyncSemaphore, AdjustMayOverdrawAndMakesOthersWait) {
  asio::io_context context;
  const auto work = asio::make_work_guard(context);
  AsyncSemaphore semaphore(10);
  std::vector<AsyncSemaphore::Lease> held;
  std::vector<int> order;
  asio::co_spawn(context, hold(semaphore, 2, held), asio::detached);
  context.poll();
  held[0].adjust(15);
  EXPECT_EQ(semaphore.free(), -5);
  asio::co_spawn(context, take_and_note(semaphore, 1, 1, order), asio::detached);
  context.poll();
  EXPECT_TRUE(order.empty());
  held[0].adjust(9);
  context.poll();
  EXPECT_EQ(order, std::vector{1});
}

TEST(AsyncSemaphore, RaisingTheCapacityWakesWaiters) {
  asio::io_context context;
  const auto work = asio::make_work_guard(context);
  AsyncSemaphore semaphore(1);
  std::vector<AsyncSemaphore::Lease> held;
  std::vector<int> order;
  asio::co_spawn(context, hold(semaphore, 1, held), asio::detached);
  context.poll();
  asio::co_spawn(context, take_and_note(semaphore, 2, 1, order), asio::detached);
  context.poll();
  EXPECT_TRUE(order.empty());
  semaphore.set_capacity(3);
  context.poll();
  EXPECT_EQ(order, std::vector{1});
}

TEST(AsyncSemaphore, WhatIsGrantedToACoroutineThatDiesFirstIsGivenBack) {
  AsyncSemaphore semaphore(1);
  std::vector<AsyncSemaphore::Lease> held;
  std::vector<int> order;
  {
    asio::io_context context;
    asio::co_spawn(context, hold(semaphore, 1, held), asio::detached);
    context.poll();
    asio::co_spawn(context, take_and_note(semaphore, 1, 1, order), asio::detached);
    asio::co_spawn(context, take_and_note(semaphore, 1, 2, order), asio::detached);
    context.restart();
    context.poll();
    held.clear();
  }
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(semaphore.free(), 1);
}

Task<void> count_up(AsyncSemaphore& semaphore, int rounds, int& counter) {
  for (int i = 0; i < rounds; ++i) {
    AsyncSemaphore::Lease lease = co_await semaphore.acquire(1);
    ++counter;  // not atomic: the semaphore of one is what protects it
  }
}

TEST(AsyncSemaphore, ExcludesAcrossThreads) {
  constexpr int kThreads = 4, kRounds = 2000;
  AsyncSemaphore semaphore(1);
  int counter = 0;
  std::vector<std::unique_ptr<asio::io_context>> contexts;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    auto& context = *contexts.emplace_back(std::make_unique<asio::io_context>(1));
    asio::co_spawn(context, count_up(semaphore, kRounds, counter), asio::detached);
  }
  for (auto& context : contexts)
    // Waiters hold no work of their own on their context while another thread has the lease: keep it running.
    threads.emplace_back([&context = *context] {
      const auto work = asio::make_work_guard(context);
      context.run_for(std::chrono::seconds(20));
    });
  while (true) {
    AsyncSemaphore::Lease lease;
    if (semaphore.try_acquire(1, lease) && counter == kThreads * kRounds) break;
    std::this_thread::yield();
  }
  for (auto& context : contexts) context->stop();
  threads.clear();
  EXPECT_EQ(counter, kThreads * kRounds);
}

}  // namespace
}  // namespace messina
