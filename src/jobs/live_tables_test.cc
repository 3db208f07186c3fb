#include "jobs/live_tables.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

TEST(CopyTurns, GoToTheSmallestIndexThatWaits) {
  CopyTurns turns(2);
  EXPECT_TRUE(turns.ask(5));
  EXPECT_TRUE(turns.ask(7));
  EXPECT_FALSE(turns.ask(3));
  EXPECT_FALSE(turns.ask(1));
  turns.give_back();
  EXPECT_FALSE(turns.ask(3)) << "1 is before it";
  EXPECT_TRUE(turns.ask(1));
  EXPECT_FALSE(turns.ask(3));
  turns.give_back();
  EXPECT_TRUE(turns.ask(3));
}

TEST(CopyTurns, WhoLeavesHoldsNobodyUp) {
  CopyTurns turns(1);
  EXPECT_TRUE(turns.ask(0));
  EXPECT_FALSE(turns.ask(1));
  EXPECT_FALSE(turns.ask(2));
  turns.leave(1);
  turns.give_back();
  EXPECT_TRUE(turns.ask(2));
}

TEST(InStepTogether, IsMetWhenAllAreReadyAtOneTime) {
  InStepTogether together(3);
  EXPECT_FALSE(together.report(0, true));
  EXPECT_FALSE(together.report(1, true));
  EXPECT_FALSE(together.report(0, false));
  EXPECT_FALSE(together.report(2, true)) << "0 has fallen behind";
  EXPECT_FALSE(together.report(2, true)) << "said twice, counted once";
  EXPECT_TRUE(together.report(0, true));
  EXPECT_TRUE(together.report(1, false)) << "it was met, once and for all";
}

TEST(InStepTogether, NobodyWaitsForATableThatHasEnded) {
  InStepTogether together(2);
  EXPECT_FALSE(together.report(0, true));
  together.left(1);
  EXPECT_TRUE(together.report(0, true));
}

}  // namespace
}  // namespace messina::jobs
