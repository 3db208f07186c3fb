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

}  // namespace
}  // namespace messina::jobs
