#include "jobs/blame.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

Blame failed(std::uint32_t times, const std::string& text, std::uint64_t acknowledged = 5) {
  Blame blame;
  for (std::uint32_t i = 0; i < times; ++i) blame.answered_500(text, acknowledged);
  return blame;
}

TEST(Blame, ABatchIsTakenApartAfterOneTextOftenEnough) {
  EXPECT_FALSE(failed(Blame::kSameFailures - 1, "a").proven(false, 5, 100));
  EXPECT_TRUE(failed(Blame::kSameFailures, "a").proven(false, 5, 100));
}

TEST(Blame, OfChangingTextsItTakesMore) {
  Blame blame;
  for (std::uint32_t i = 1; i < Blame::kFailures; ++i) {
    blame.answered_500(std::to_string(i), 5);
    EXPECT_FALSE(blame.proven(false, 5, 100));
  }
  blame.answered_500("another", 5);
  EXPECT_TRUE(blame.proven(false, 5, 100));
}

TEST(Blame, AnItemAloneNeedsAWitness) {
  const Blame blame = failed(Blame::kFailures, "a", 5);
  EXPECT_FALSE(blame.proven(true, 5, 100));
  EXPECT_TRUE(blame.proven(true, 6, 100));
  // Unless hardly anything else is left.
  EXPECT_TRUE(blame.proven(true, 5, Blame::kFewLeft));
  EXPECT_FALSE(failed(Blame::kFailures - 1, "a", 5).proven(true, 5, 1));
}

TEST(Blame, WhatIsNoAnswerBreaksTheRow) {
  Blame blame = failed(Blame::kFailures, "a");
  blame.not_answered();
  EXPECT_FALSE(blame.proven(false, 6, 1));
  EXPECT_FALSE(blame.suspicious());
}

TEST(Blame, APartIsTakenApartAtOnceAndAnItemAnew) {
  const Blame whole = failed(Blame::kSameFailures, "a", 5);
  Blame part = whole.of_part(false);
  EXPECT_FALSE(part.proven(false, 5, 100));
  part.answered_500("a", 7);
  EXPECT_TRUE(part.proven(false, 5, 100));
  Blame alone = whole.of_part(true);
  for (std::uint32_t i = 1; i < Blame::kSameFailures; ++i) {
    alone.answered_500("a", 7);
    EXPECT_FALSE(alone.proven(true, 7, 100));
  }
  alone.answered_500("a", 7);
  // Others were acknowledged since the whole batch failed first.
  EXPECT_TRUE(alone.proven(true, 7, 100));
  EXPECT_FALSE(Blame().of_part(false).proven(false, 7, 100));
}

TEST(Blame, AGatewaysFailureIsNoAnswer) {
  EXPECT_TRUE(answered_failure({ErrorKind::unknown_outcome, "x", "InternalServerError"}));
  EXPECT_FALSE(answered_failure({ErrorKind::unknown_outcome, "x", "HTTP 502"}));
  EXPECT_FALSE(answered_failure({ErrorKind::unknown_outcome, "x"}));
}

}  // namespace
}  // namespace messina::jobs
