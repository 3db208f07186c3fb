#include "pace/capacity_share.h"

#include <gtest/gtest.h>

#include "pace/hot_pause.h"
#include "pace/use_history.h"
#include "pace/virtual_source.h"

namespace messina::pace {
namespace {

using namespace std::chrono_literals;

const MonoTime kStart{1h};

CapacityShare reads(Wish wish) { return CapacityShare(wish, kDefaultWarmReads, "RCU", "--read-rcu"); }

TEST(CapacityShare, ProvisionedHalfOfWhatIsFree) {
  CapacityShare share = reads({});
  share.know(TableUnits{.provisioned = 10'000});
  EXPECT_EQ(share.decide(kStart, 0).units_per_s, 2500);
  EXPECT_NE(share.decide(kStart, 0).why.find("not known"), std::string::npos);
  share.application_uses(3000);
  EXPECT_EQ(share.decide(kStart, 0).units_per_s, 3500);
  EXPECT_EQ(share.decide(kStart, 0).why,
            "half of what is free: 10,000 RCU/s provisioned, the application uses 3,000");
  share.application_uses(12'000);
  EXPECT_EQ(share.decide(kStart, 0).units_per_s, 100);
}

TEST(CapacityShare, WhatWasAskedForAndByHand) {
  CapacityShare fixed = reads({Wish::Kind::fixed, 8000});
  EXPECT_EQ(fixed.decide(kStart, 0).units_per_s, 8000);
  EXPECT_EQ(fixed.decide(kStart, 0).why, "--read-rcu");
  fixed.set_by_hand(20);
  EXPECT_EQ(fixed.decide(kStart, 0).units_per_s, 20);
  EXPECT_EQ(fixed.decide(kStart, 0).why, "set by hand");
  fixed.set_by_hand(std::nullopt);
  EXPECT_EQ(fixed.decide(kStart, 0).units_per_s, 8000);
  CapacityShare share = reads({Wish::Kind::share, 0.3});
  EXPECT_FALSE(share.decide(kStart, 0).units_per_s);
  share.know(TableUnits{.provisioned = 1000});
  EXPECT_EQ(share.decide(kStart, 0).units_per_s, 300);
  share.know(TableUnits{.on_demand = true, .most = 500});
  EXPECT_EQ(share.decide(kStart, 0).units_per_s, 150);
  CapacityShare unlimited = reads({Wish::Kind::unlimited, 0});
  unlimited.know(TableUnits{.provisioned = 1000});
  EXPECT_FALSE(unlimited.decide(kStart, 0).units_per_s);
  EXPECT_FALSE(reads({}).decide(kStart, 0).units_per_s);
}

TEST(CapacityShare, OnDemandGrowsFromATenthToAHalfWhileItIsUsedUp) {
  CapacityShare share = reads({});
  share.know(TableUnits{.on_demand = true});
  EXPECT_EQ(share.decide(kStart, 0).units_per_s, 1200);
  // Nobody uses it: it does not grow.
  for (MonoTime now = kStart; now < kStart + 5min; now += 1s) share.decide(now, 100);
  EXPECT_EQ(share.decide(kStart + 5min, 100).units_per_s, 1200);
  double rate = 1200;
  for (MonoTime now = kStart + 5min; now < kStart + 15min; now += 1s)
    rate = *share.decide(now, rate).units_per_s;
  EXPECT_DOUBLE_EQ(rate, 6000);
  share.throttled(kStart + 15min);
  EXPECT_DOUBLE_EQ(*share.decide(kStart + 15min, rate).units_per_s, 3000);
  share.throttled(kStart + 15min + 500ms);
  EXPECT_DOUBLE_EQ(*share.decide(kStart + 15min, rate).units_per_s, 3000);
  share.application_uses(11'000);
  EXPECT_DOUBLE_EQ(*share.decide(kStart + 15min, rate).units_per_s, 500);
}

TEST(CapacityShare, OnDemandByItsMaximumOrItsWarmThroughput) {
  CapacityShare share = reads({});
  share.know(TableUnits{.on_demand = true, .most = 2000, .warm = 50'000});
  EXPECT_EQ(share.decide(kStart, 0).units_per_s, 500);
  share.application_uses(1000);
  EXPECT_EQ(share.decide(kStart, 0).units_per_s, 500);
  share.know(TableUnits{.on_demand = true, .warm = 50'000});
  EXPECT_EQ(share.decide(kStart, 0).units_per_s, 5000);
}

TEST(CapacityShare, ThrottlingHalvesAndIsWonBack) {
  CapacityShare share = reads({Wish::Kind::fixed, 1000});
  share.decide(kStart, 1000);
  share.throttled(kStart);
  EXPECT_DOUBLE_EQ(*share.decide(kStart, 1000).units_per_s, 500);
  EXPECT_NE(share.decide(kStart, 1000).why.find("eased to 50 %"), std::string::npos);
  share.throttled(kStart + 2s);
  EXPECT_DOUBLE_EQ(*share.decide(kStart + 2s, 1000).units_per_s, 250);
  for (int i = 0; i < 200; ++i) share.throttled(kStart + 2s + i * 1s);
  EXPECT_GE(*share.decide(kStart + 202s, 1000).units_per_s, 49);
  double rate = 0;
  for (MonoTime now = kStart + 202s; now < kStart + 260s; now += 200ms)
    rate = *share.decide(now, 1000).units_per_s;
  EXPECT_DOUBLE_EQ(rate, 1000);
}

/// A table of `capacity` that we share with an application, whose consumption CloudWatch tells by the minute,
/// two minutes late.
struct Shared {
  double capacity, application_before, application_after;
};

class SharedTable : public testing::TestWithParam<Shared> {};

TEST_P(SharedTable, TheApplicationIsNeverThrottledAlsoWhenItsTrafficDoubles) {
  const Shared& c = GetParam();
  VirtualSource source({.item_bytes = 1000, .spread = 0.5});
  CapacityShare share = reads({});
  share.know(TableUnits{.provisioned = c.capacity});
  share.application_uses(c.application_before);
  double saved = c.capacity;  // one second's worth, as strict as can be
  double at_s = 0;
  std::uint64_t ours_throttled = 0, theirs_throttled = 0;
  const auto bucket = [&](double units) {
    const double now_s = std::chrono::duration<double>(source.elapsed()).count();
    saved = std::min(c.capacity, saved + (now_s - at_s) * c.capacity);
    at_s = now_s;
    if (saved <= 0) return false;
    saved -= units;
    return true;
  };
  source.admit = [&](double units) {
    if (bucket(units)) return true;
    ++ours_throttled;
    share.throttled(source.now());
    return false;
  };
  for (Duration t{}; t < 600s; t += 10ms) {
    const double rate = t < 300s ? c.application_before : c.application_after;
    source.at(t, [&, rate] { theirs_throttled += !bucket(rate / 100); });
  }
  for (Duration t = 200ms; t < 600s; t += 200ms) {
    source.at(t, [&] { source.budget().set_rate(source.now(), share.decide(source.now(), 0).units_per_s); });
  }
  for (Duration t = 60s; t < 600s; t += 60s) {
    source.at(t, [&, t] { share.application_uses(t >= 420s ? c.application_after : c.application_before); });
  }
  source.run(share.decide(kStart, 0).units_per_s, std::nullopt, 32, 600s);
  EXPECT_EQ(theirs_throttled, 0u);
  EXPECT_EQ(ours_throttled, 0u);
  const double before = (c.capacity - c.application_before) / 2,
               after = (c.capacity - c.application_after) / 2;
  EXPECT_GE(source.spent_between(10s, 300s), before * 290 * 0.95);
  EXPECT_GE(source.spent_between(430s, 600s), after * 170 * 0.95);
  EXPECT_LE(source.spent_between(430s, 600s), after * 170 * 1.02);
}

INSTANTIATE_TEST_SUITE_P(Tables, SharedTable,
                         testing::Values(Shared{10'000, 2000, 4000}, Shared{10'000, 3000, 6000},
                                         Shared{1000, 100, 200}, Shared{400, 50, 100},
                                         Shared{40'000, 0, 10'000}));

TEST(UseHistory, GivesWhatASpanHeldAndForgetsTheOld) {
  const WallTime start{std::chrono::hours(100)};
  UseHistory history;
  for (int i = 0; i < 120; ++i) history.add(start + i * 1s, 10);
  EXPECT_EQ(history.between(start, start + 60s), 600);
  EXPECT_EQ(history.between(start + 60s, start + 10min), 600);
  history.add(start + 20min, 1);
  EXPECT_EQ(history.between(start, start + 1h), 1);
}

TEST(HotPause, DoublesAndIsForgotten) {
  HotPause pause;
  EXPECT_EQ(pause.pause(), 0s);
  pause.throttled();
  EXPECT_EQ(pause.pause(), HotPause::kFirst);
  for (int i = 0; i < 20; ++i) pause.throttled();
  EXPECT_EQ(pause.pause(), HotPause::kMost);
  for (int i = 0; i < 70; ++i) pause.answered();
  EXPECT_EQ(pause.pause(), 0s);
}

/// A partition that bears 3,000 RCU/s, and a segment that reads 256 RCU at a time from it.
TEST(HotPause, FindsWhatThePartitionBears) {
  HotPause pause;
  double saved = 0, done = 0, now_s = 0;
  int throttled = 0;
  while (now_s < 120) {
    const double before = now_s;
    now_s += 0.02 + std::chrono::duration<double>(pause.pause()).count();
    saved = std::min(300.0, saved + (now_s - before) * 3000);
    if (saved <= 0) {
      ++throttled;
      pause.throttled();
      continue;
    }
    saved -= 256;
    done += 256;
    pause.answered();
  }
  EXPECT_GE(done, 3000 * 120 * 0.6);
  EXPECT_LE(throttled, 120 * 3);
}

}  // namespace
}  // namespace messina::pace
