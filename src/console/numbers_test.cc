#include "console/numbers.h"

#include <cmath>

#include <gtest/gtest.h>

namespace messina::console {
namespace {

TEST(Numbers, GroupThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(~0ull), "18,446,744,073,709,551,615");
  EXPECT_EQ(counted(1, "item"), "1 item");
  EXPECT_EQ(counted(2000, "item"), "2,000 items");
}

TEST(Numbers, RoundBytesWithoutFourDigits) {
  EXPECT_EQ(bytes(0), "0 B");
  EXPECT_EQ(bytes(999), "999 B");
  EXPECT_EQ(bytes(999.7), "1.0 KB");
  EXPECT_EQ(bytes(1.2e9), "1.2 GB");
  EXPECT_EQ(bytes(999'999), "1.0 MB");
  EXPECT_EQ(bytes(9.96e6), "10 MB");
  EXPECT_EQ(bytes(NAN), "?");
}

TEST(Numbers, TellDurations) {
  EXPECT_EQ(duration(0.44), "0.4 s");
  EXPECT_EQ(duration(12), "12 s");
  EXPECT_EQ(duration(59.6), "1 min 00 s");
  EXPECT_EQ(duration(200), "3 min 20 s");
  EXPECT_EQ(duration(7500), "2 h 05 min");
  EXPECT_EQ(duration(273600), "3 d 4 h");
  EXPECT_EQ(duration(-1), "?");
  EXPECT_EQ(duration(INFINITY), "?");
}

TEST(Numbers, NeverSayDoneTooEarly) {
  EXPECT_EQ(percent(0.4234), "42.3%");
  EXPECT_EQ(percent(0.99999), "99.9%");
  EXPECT_EQ(percent(1), "100.0%");
  EXPECT_EQ(percent(-1), "0.0%");
  EXPECT_EQ(rate(3.21), "3.2");
  EXPECT_EQ(rate(45210.4), "45,210");
  EXPECT_EQ(rate(0), "0");
}

}  // namespace
}  // namespace messina::console
