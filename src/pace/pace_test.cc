#include <set>

#include <gtest/gtest.h>

#include "pace/backoff.h"
#include "pace/speed_holder.h"

namespace messina::pace {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, StaysUnderTheDoublingCeilingAndFillsIt) {
  Random random(1);
  for (std::uint32_t attempt = 1; attempt <= 100; ++attempt) {
    const double ceiling = attempt < 12 ? 0.025 * static_cast<double>(1u << (attempt - 1)) : 20.0;
    double longest = 0;
    double shortest = 1e9;
    for (int i = 0; i < 1000; ++i) {
      const std::chrono::duration<double> delay =
          backoff_delay(kTransientBackoff, attempt, std::nullopt, random);
      longest = std::max(longest, delay.count());
      shortest = std::min(shortest, delay.count());
    }
    EXPECT_LE(longest, std::min(ceiling, 20.0)) << attempt;
    EXPECT_GT(longest, std::min(ceiling, 20.0) * 0.98) << attempt;
    EXPECT_LT(shortest, std::min(ceiling, 20.0) * 0.02) << attempt;
    EXPECT_GE(shortest, 0) << attempt;
  }
}

TEST(Backoff, TheZerothAttemptCountsAsTheFirst) {
  Random random(2);
  for (int i = 0; i < 1000; ++i) EXPECT_LE(backoff_delay(kTransientBackoff, 0, std::nullopt, random), 25ms);
}

TEST(Backoff, TheServersPauseIsTheLeast) {
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const Duration delay = backoff_delay(kTransientBackoff, 1, 30s, random);
    EXPECT_GE(delay, 30s);
    EXPECT_LE(delay, 30s + 25ms);
  }
  EXPECT_LE(backoff_delay(kTransientBackoff, 1, std::chrono::hours(1000), random), kMaxRetryAfter + 25ms);
  EXPECT_GE(backoff_delay(kTransientBackoff, 1, -5s, random), 0s);
}

TEST(Backoff, CountsFailuresAndForgetsThemOnProgress) {
  Random random(4);
  Backoff backoff;
  const Error throttled{ErrorKind::throttled, "slow down"};
  for (int i = 0; i < 3; ++i) backoff.next(throttled, random);
  EXPECT_EQ(backoff.failures(), 3u);
  backoff.reset();
  EXPECT_EQ(backoff.failures(), 0u);
  for (int i = 0; i < 1000; ++i) {
    backoff.reset();
    EXPECT_LE(backoff.next(throttled, random), kThrottlingBackoff.base);
  }
}

TEST(Backoff, ThrottlingWaitsLongerThanATransientFailure) {
  EXPECT_EQ(backoff_for(ErrorKind::throttled).base, 1s);
  EXPECT_EQ(backoff_for(ErrorKind::transient).base, 25ms);
  EXPECT_EQ(backoff_for(ErrorKind::corrupt).base, 25ms);
}

const MonoTime kStart{1h};

TEST(SpeedHolders, NamesWhatWasWaitedForLongest) {
  SpeedHolders holders(8s);
  EXPECT_EQ(holders.answer(kStart), SpeedHolder::nothing);
  holders.waited(kStart, SpeedHolder::target_latency, 300ms);
  holders.waited(kStart, SpeedHolder::memory, 200ms);
  EXPECT_EQ(holders.answer(kStart), SpeedHolder::target_latency);
  holders.waited(kStart + 2s, SpeedHolder::memory, 200ms);
  EXPECT_EQ(holders.answer(kStart + 2s), SpeedHolder::memory);
  EXPECT_EQ(holders.total(kStart + 2s, SpeedHolder::memory), 400ms);
}

TEST(SpeedHolders, ForgetsWhatIsOlderThanTheWindow) {
  SpeedHolders holders(8s);
  holders.waited(kStart, SpeedHolder::cpu, 5s);
  holders.waited(kStart + 4s, SpeedHolder::read_budget, 1s);
  EXPECT_EQ(holders.answer(kStart + 7s), SpeedHolder::cpu);
  EXPECT_EQ(holders.answer(kStart + 8s), SpeedHolder::read_budget);
  EXPECT_EQ(holders.answer(kStart + 12s), SpeedHolder::nothing);
  holders.waited(kStart + 1h, SpeedHolder::nothing, 1s);
  EXPECT_EQ(holders.answer(kStart + 1h), SpeedHolder::nothing);
}

TEST(SpeedHolders, ThoseOfSeveralLoopsAddUp) {
  SpeedHolders all(8s);
  for (int loop = 0; loop < 3; ++loop) {
    SpeedHolders one(8s);
    one.waited(kStart + loop * 1s, SpeedHolder::predecessor, 100ms);
    one.waited(kStart, loop == 0 ? SpeedHolder::hot_partition : SpeedHolder::source_latency, 140ms);
    all.add_from(one);
  }
  EXPECT_EQ(all.answer(kStart + 2s), SpeedHolder::predecessor);
  EXPECT_EQ(all.total(kStart + 2s, SpeedHolder::predecessor), 300ms);
  EXPECT_EQ(all.total(kStart + 2s, SpeedHolder::source_latency), 280ms);
}

TEST(SpeedHolders, EachHasAName) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kSpeedHolders; ++i) names.insert(to_string(static_cast<SpeedHolder>(i)));
  EXPECT_EQ(names.size(), kSpeedHolders);
  EXPECT_TRUE(names.contains("read budget"));
  EXPECT_TRUE(names.contains("target throttling"));
}

}  // namespace
}  // namespace messina::pace
