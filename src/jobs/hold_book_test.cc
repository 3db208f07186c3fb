#include "jobs/hold_book.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime kStart{1000s};
constexpr Duration kS = 1s, kD = 30s;

TEST(HoldBook, AnAnsweredKeyIsSettledMoreThanSLater) {
  HoldBook book({kS, kD});
  book.answered({{"a", 7}}, kStart);
  EXPECT_EQ(book.next(), kStart + kS);
  EXPECT_TRUE(book.take_due(kStart + kS, 10).empty());
  const HoldBook::Due due = book.take_due(kStart + kS + 1ns, 10);
  ASSERT_EQ(due.settle.size(), 1u);
  EXPECT_EQ(due.settle.front().key, "a");
  EXPECT_EQ(due.settle.front().generation, 7u);
  EXPECT_TRUE(due.release.empty());
  EXPECT_EQ(book.next(), std::nullopt);
}

TEST(HoldBook, AKeyOfUnknownOutcomeIsReleasedMoreThanDAndSLater) {
  HoldBook book({kS, kD});
  book.unknown({"a", "b"}, kStart);
  EXPECT_EQ(book.unknown_keys(), 2u);
  EXPECT_EQ(book.unknown_batches(), 1u);
  EXPECT_TRUE(book.take_due(kStart + kD + kS, 10).empty());
  const HoldBook::Due due = book.take_due(kStart + kD + kS + 1ns, 10);
  EXPECT_EQ(due.release, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(due.settle.empty());
  EXPECT_EQ(book.unknown_keys(), 0u);
  EXPECT_EQ(book.unknown_batches(), 0u);
}

TEST(HoldBook, WhatWasTurnedAwayIsNoUnknownOutcome) {
  HoldBook book({kS, kD});
  book.turned_away({"a"}, kStart + 5ms);
  EXPECT_EQ(book.unknown_keys(), 0u);
  EXPECT_EQ(book.take_due(kStart + 6ms, 10).release, (std::vector<std::string>{"a"}));
}

TEST(HoldBook, TheLongestWaitEndsFirstAndNotAllAtOnce) {
  HoldBook book({kS, kD});
  for (int i = 0; i < 10; ++i) book.answered({{"a", 1}, {"b", 2}}, kStart + i * 1ms);
  book.turned_away({"first"}, kStart);
  const HoldBook::Due due = book.take_due(kStart + 1h, 5);
  EXPECT_EQ(due.release, (std::vector<std::string>{"first"}));
  EXPECT_EQ(due.settle.size(), 4u);
  EXPECT_EQ(book.take_due(kStart + 1h, 1000).settle.size(), 16u);
}

TEST(HoldBook, AtTheEndWhatWasAnsweredIsSettledAndTheRestStays) {
  HoldBook book({kS, kD});
  book.answered({{"a", 1}}, kStart);
  book.unknown({"b"}, kStart);
  book.turned_away({"c"}, kStart + 1s);
  EXPECT_EQ(book.take_answered().size(), 1u);
  EXPECT_EQ(book.unknown_keys(), 1u);
  EXPECT_TRUE(book.take_answered().empty());
}

TEST(HoldBook, NothingIsNothing) {
  HoldBook book({kS, kD});
  book.answered({}, kStart);
  book.unknown({}, kStart);
  book.turned_away({}, kStart);
  EXPECT_EQ(book.next(), std::nullopt);
  EXPECT_EQ(book.unknown_batches(), 0u);
}

}  // namespace
}  // namespace messina::jobs
