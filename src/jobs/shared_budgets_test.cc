#include "jobs/shared_budgets.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

TEST(Permits, AreBoundByBothLimits) {
  AsyncSemaphore shared(2);
  Permits one(2, &shared), other(2, &shared);
  Permits::Permit a, b, c;
  EXPECT_TRUE(one.try_acquire(1, a));
  EXPECT_TRUE(other.try_acquire(1, b));
  // Its own limit has room, the shared one has none: nothing is kept of the attempt.
  EXPECT_FALSE(one.try_acquire(1, c));
  EXPECT_EQ(c.amount(), 0);
  EXPECT_EQ(one.free(), 1);
  b.release();
  EXPECT_EQ(shared.free(), 1);
  EXPECT_TRUE(one.try_acquire(1, c));
  EXPECT_FALSE(other.try_acquire(1, b));
  {
    const Permits::Permit gone = std::move(c);
  }
  EXPECT_EQ(shared.free(), 1);
  EXPECT_EQ(one.free(), 1);
}

TEST(Permits, AloneHaveOneLimit) {
  Permits alone(1, nullptr);
  Permits::Permit a, b;
  EXPECT_TRUE(alone.try_acquire(1, a));
  EXPECT_FALSE(alone.try_acquire(1, b));
}

TEST(SharedReads, EveryTableTakesFromOneRate) {
  const MonoTime start{};
  SharedBudgets::Reads reads(100, start);
  SharedBudgets::Reads::Request one, other;
  EXPECT_TRUE(reads.ask(start, one, 50));  // nothing is saved up yet
  const MonoTime later = start + std::chrono::milliseconds(500);
  EXPECT_FALSE(reads.ask(later, one, 50));
  EXPECT_TRUE(reads.ask(later, other, 50));
  reads.answered(later, one, 0);  // it failed, and cost nothing
  EXPECT_FALSE(reads.ask(later + std::chrono::milliseconds(500), other, 50));
  reads.give_up(one);
  SharedBudgets::Reads unlimited(std::nullopt, start);
  EXPECT_FALSE(unlimited.ask(start, one, 1e9));
}

TEST(SharedBudgets, AutoGoesBackToWhatTheRunWasStartedWith) {
  const MonoTime start{};
  SharedBudgets budgets({.memory_bytes = 1, .write_concurrency = 16, .read_rcu_per_s = std::nullopt}, start);
  EXPECT_FALSE(budgets.reads.rate());
  budgets.set_read_rcu(start, 100);
  budgets.set_write_concurrency(2);
  EXPECT_EQ(budgets.reads.rate(), 100);
  SharedBudgets::Reads::Request request;
  EXPECT_TRUE(budgets.reads.ask(start, request, 50)) << "nothing is saved up";
  budgets.set_read_rcu(start, std::nullopt);
  EXPECT_FALSE(budgets.reads.ask(start, request, 50)) << "who waited goes at once";
  EXPECT_EQ(budgets.writes.capacity(), 2);
  budgets.set_write_concurrency(std::nullopt);
  EXPECT_EQ(budgets.writes.capacity(), 16);
}

}  // namespace
}  // namespace messina::jobs
