#include "jobs/watermark.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime kStart{1000s};
constexpr Duration kS = 1s;

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

TEST(Watermark, APageIsSentAfterWhatWasGivenBeforeIt) {
  Watermark watermark(kS);
  EXPECT_EQ(watermark.value(kStart + 5s), kStart + 5s);
  // Another loop read its clock before that, and its request goes out after it.
  watermark.sent(kStart + 4s);
  EXPECT_EQ(watermark.value(kStart + 9s), kStart + 5s);
}

}  // namespace
}  // namespace messina::jobs
