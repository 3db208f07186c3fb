// The read budget's closed loop in virtual time: workers read pages of a source that takes 200 ms for each.
#include "pace/unit_budget.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "pace/page_cost.h"
#include "pace/virtual_source.h"

namespace messina::pace {
namespace {

using namespace std::chrono_literals;

const MonoTime kStart{1h};

TEST(UnitBudget, StartsEmptyAndSavesUpTheBurstOnly) {
  UnitBudget budget(100, kStart);
  UnitBudget::Place place = UnitBudget::kNoPlace;
  const UnitBudget::Turn turn = budget.take(kStart, place, 5);
  EXPECT_FALSE(turn.granted);
  EXPECT_GT(turn.nap, 0s);
  EXPECT_LE(turn.nap, 50ms);
  EXPECT_TRUE(budget.take(kStart + 50ms, place, 5).granted);
  EXPECT_EQ(place, UnitBudget::kNoPlace);
  EXPECT_TRUE(budget.take(kStart + 1h, place, 5).granted);
  EXPECT_FALSE(budget.take(kStart + 1h, place, 1).granted);
  EXPECT_TRUE(budget.somebody_waits());
}

TEST(UnitBudget, ServesInOrderAndTheLargeIsNotStarved) {
  UnitBudget budget(100, kStart);
  UnitBudget::Place large = 0, small = 0;
  EXPECT_FALSE(budget.take(kStart, large, 100).granted);
  int before = 0;
  for (MonoTime now = kStart; now < kStart + 2s; now += 10ms) {
    if (budget.take(now, large, 100).granted) break;
    before += budget.take(now, small, 1).granted;
  }
  EXPECT_EQ(large, UnitBudget::kNoPlace);
  EXPECT_EQ(before, 0);
}

TEST(UnitBudget, WhoLeavesMakesRoomAndPaysNothing) {
  UnitBudget budget(100, kStart);
  UnitBudget::Place first = 0, second = 0;
  budget.take(kStart, first, 1000);
  budget.take(kStart, second, 1);
  budget.leave(first);
  EXPECT_TRUE(budget.take(kStart + 10ms, second, 1).granted);
  EXPECT_DOUBLE_EQ(budget.charged_total(), 1);
}

TEST(UnitBudget, ARefundShortensTheWaitAndADebtLengthensIt) {
  UnitBudget budget(100, kStart);
  UnitBudget::Place place = 0;
  budget.charge(kStart, 50);
  EXPECT_FALSE(budget.take(kStart + 100ms, place, 5).granted);
  budget.settle(kStart + 100ms, 50, 0);
  EXPECT_TRUE(budget.take(kStart + 100ms, place, 5).granted);
  budget.settle(kStart + 100ms, 5, 205);
  EXPECT_FALSE(budget.take(kStart + 1900ms, place, 5).granted);
  EXPECT_TRUE(budget.take(kStart + 2200ms, place, 5).granted);
}

TEST(UnitBudget, WithoutALimitEverythingGoesAndNothingIsOwedLater) {
  UnitBudget budget(std::nullopt, kStart);
  UnitBudget::Place place = 0;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(budget.take(kStart, place, 256).granted);
  budget.set_rate(kStart, 100);
  EXPECT_FALSE(budget.take(kStart, place, 5).granted);
  EXPECT_TRUE(budget.take(kStart + 50ms, place, 5).granted);
  budget.take(kStart + 50ms, place, 5);
  budget.set_rate(kStart + 50ms, std::nullopt);
  EXPECT_TRUE(budget.take(kStart + 50ms, place, 5).granted);
  EXPECT_FALSE(budget.somebody_waits());
  EXPECT_THROW(budget.set_rate(kStart, 0.0), std::invalid_argument);
}

/// What a rate makes of a table; the promise of the budget.
struct Case {
  double rate;
  double item_bytes;
  double spread;  ///< of item sizes: 0 none, 1 from nothing to twice
  bool hint;
  double consistency = 1;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.rate << " RCU/s, items of " << c.item_bytes << " bytes ± " << c.spread << (c.hint ? ", hint" : "")
       << ", consistency " << c.consistency;
}

class Budget : public testing::TestWithParam<Case> {};

TEST_P(Budget, IsUsedTo95PercentAndNeverOvershotByMoreThan2) {
  const Case& c = GetParam();
  SourceModel model{.item_bytes = c.item_bytes, .spread = c.spread, .consistency = c.consistency, .seed = 7};
  VirtualSource source(model);
  std::optional<double> hint;
  if (c.hint) hint = c.item_bytes / 4096;
  // As many workers as the copy would grow to.
  const int workers =
      static_cast<int>(std::clamp(c.rate * 0.3 / (kFullPageUnits * c.consistency), 16.0, 64.0));
  source.run(c.rate, hint, workers, 60s);
  EXPECT_LE(source.most_in_window(10s), c.rate * 10 * 1.02);
  EXPECT_GE(source.spent_between(5s, 60s), c.rate * 55 * 0.95);
}

INSTANTIATE_TEST_SUITE_P(Rates, Budget,
                         testing::Values(Case{100, 1000, 0, true}, Case{100, 1000, 0, false},
                                         Case{100, 200, 1, false}, Case{100, 10'000, 1, true},
                                         Case{300, 400, 0.5, false}, Case{1000, 400, 0.5, true},
                                         Case{1000, 60'000, 1, false}, Case{2600, 1000, 1, false},
                                         Case{8000, 1000, 1, false}, Case{8000, 1000, 1, false, 0.5},
                                         Case{20'000, 300, 1, true}, Case{40'000, 1000, 1, false},
                                         Case{40'000, 5000, 1, false, 0.5}));

TEST(Budget, ANewRateHoldsAtOnce) {
  SourceModel model{.item_bytes = 1000, .spread = 0.5, .consistency = 1, .seed = 3};
  VirtualSource source(model);
  source.set_rate_at(20s, 500);
  source.set_rate_at(40s, 8000);
  source.run(4000, std::nullopt, 32, 60s);
  EXPECT_GE(source.spent_between(5s, 20s), 4000 * 15 * 0.95);
  EXPECT_LE(source.spent_between(21s, 31s), 500 * 10 * 1.02 + kFullPageUnits);
  EXPECT_GE(source.spent_between(25s, 40s), 500 * 15 * 0.95);
  EXPECT_GE(source.spent_between(43s, 60s), 8000 * 17 * 0.95);
  EXPECT_LE(source.spent_between(43s, 53s), 8000 * 10 * 1.02);
}

TEST(PageCost, AsksForATwentiethOfASecondAndKeepsToWhatItLearnt) {
  PageCost cost(1, std::nullopt);
  EXPECT_EQ(cost.next(std::nullopt).items, 0u);
  EXPECT_EQ(cost.next(std::nullopt).charge, 256);
  EXPECT_EQ(cost.next(100).items, 1u);
  EXPECT_EQ(cost.next(100).charge, 100);
  cost.learn(1, 1, 1);
  EXPECT_EQ(cost.next(100).items, 5u);
  EXPECT_EQ(cost.next(100).charge, 5);
  for (int i = 0; i < 50; ++i) cost.learn(40, 40, 10);
  EXPECT_NEAR(cost.next(100).items, 20, 1);
  cost.learn(40, 40, 40);
  EXPECT_LT(cost.next(100).items, 10u);
  EXPECT_EQ(cost.next(10'000).items, 0u);
}

TEST(PageCost, NoPageCostsMoreThanTheTable) {
  const PageCost cost(1, 0.01, 0.5);
  EXPECT_EQ(cost.next(1000).charge, 2);
}

TEST(PageCost, TheDescriptionIsTrustedWithAMargin) {
  const PageCost cost(0.5, 0.25);
  EXPECT_EQ(cost.next(100).items, 40u);
  EXPECT_EQ(cost.next(100).charge, 20);
}

}  // namespace
}  // namespace messina::pace
