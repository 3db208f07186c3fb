#include "jobs/watermark.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime kStart{1000s};
constexpr Duration kS = 1s, kD = 30s;

TEST(Watermark, WithoutPagesItIsNow) {
  Watermark watermark(kS);
  EXPECT_EQ(watermark.value(kStart), kStart);
}

TEST(Watermark, TheOldestUnfinishedPageHoldsIt) {
  Watermark watermark(kS);
  const auto first = watermark.sent(kStart);
  const auto second = watermark.sent(kStart + 5s);
  EXPECT_EQ(watermark.value(kStart + 9s), kStart);
  watermark.acknowledged(first, kStart + 10s);
  // Its twin on a node whose clock runs behind may still win: exactly S is not more than S.
  EXPECT_EQ(watermark.value(kStart + 10s + kS), kStart);
  EXPECT_EQ(watermark.value(kStart + 10s + kS + 1ns), kStart + 5s);
  watermark.acknowledged(second, kStart + 20s);
  EXPECT_EQ(watermark.value(kStart + 30s), kStart + 30s);
}

TEST(Watermark, ADroppedPageHoldsNothing) {
  Watermark watermark(kS);
  const auto page = watermark.sent(kStart);
  watermark.dropped(page);
  EXPECT_EQ(watermark.value(kStart + 1s), kStart + 1s);
}

TEST(Watermark, ItNeverGoesBackForPagesThatAreSentInOrder) {
  Watermark watermark(kS);
  MonoTime last = watermark.value(kStart);
  for (int i = 0; i < 100; ++i) {
    const MonoTime now = kStart + i * 100ms;
    const auto page = watermark.sent(now);
    watermark.acknowledged(page, now + 50ms);
    const MonoTime value = watermark.value(now + 60ms);
    EXPECT_GE(value, last);
    last = value;
  }
}

TEST(KeyBook, OneWriteOfAKeyAtATime) {
  KeyBook book({kS, kD});
  EXPECT_TRUE(book.begin("a", kStart));
  EXPECT_FALSE(book.begin("a", kStart + 1h));
  EXPECT_TRUE(book.begin("b", kStart));
  EXPECT_TRUE(book.in_flight("a"));
}

TEST(KeyBook, TwoWritesOfAKeyLieMoreThanSApart) {
  KeyBook book({kS, kD});
  ASSERT_TRUE(book.begin("a", kStart));
  book.answered("a", kStart + 1s);
  EXPECT_FALSE(book.begin("a", kStart + 1s + kS));
  EXPECT_TRUE(book.begin("a", kStart + 1s + kS + 1ns));
  EXPECT_FALSE(book.begin("a", kStart + 1h));
}

TEST(KeyBook, AWriteWithoutAnAnswerHoldsItsKeyUntilItMustBeDead) {
  KeyBook book({kS, kD});
  ASSERT_TRUE(book.begin("a", kStart));
  book.unknown("a", kStart + 5s);
  EXPECT_EQ(book.unknown_outcomes(kStart + 6s), 1u);
  EXPECT_EQ(book.next_free(), kStart + 5s + kD + kS);
  EXPECT_FALSE(book.begin("a", kStart + 5s + kD + kS));
  EXPECT_TRUE(book.begin("a", kStart + 5s + kD + kS + 1ns));
  EXPECT_EQ(book.unknown_outcomes(kStart + 1h), 0u);
}

TEST(KeyBook, WhatHasBecomeFreeIsForgotten) {
  KeyBook book({kS, kD});
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i);
    ASSERT_TRUE(book.begin(key, kStart));
    book.answered(key, kStart);
  }
  EXPECT_EQ(book.size(), 100u);
  book.expire(kStart + 2s);
  EXPECT_EQ(book.size(), 0u);
  EXPECT_EQ(book.next_free(), std::nullopt);
}

}  // namespace
}  // namespace messina::jobs
