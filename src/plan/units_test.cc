#include "plan/units.h"

#include <gtest/gtest.h>

namespace messina::plan {
namespace {

using std::chrono::milliseconds;

TEST(Duration, ReadsUnitsAndSums) {
  EXPECT_EQ(parse_duration("500ms").value(), milliseconds(500));
  EXPECT_EQ(parse_duration("30s").value(), milliseconds(30'000));
  EXPECT_EQ(parse_duration("1.5m").value(), milliseconds(90'000));
  EXPECT_EQ(parse_duration("1m30s").value(), milliseconds(90'000));
  EXPECT_EQ(parse_duration("2h").value(), milliseconds(7'200'000));
  EXPECT_EQ(parse_duration("0s").value(), milliseconds(0));
  for (const char* wrong : {"", "30", "-1s", "s", "1 year", "1e3s", "nans", "infs", "30s!", "1001d"})
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  EXPECT_EQ(parse_duration("30").error().message,
            "\"30\" is not a duration: write a number and ms, s, m, h or d, as in 30s");
}

TEST(Size, ReadsDecimalAndBinaryUnits) {
  EXPECT_EQ(parse_size("1048576").value(), 1048576u);
  EXPECT_EQ(parse_size("256MB").value(), 256'000'000u);
  EXPECT_EQ(parse_size("256MiB").value(), 256u << 20);
  EXPECT_EQ(parse_size("256M").value(), 256u << 20);
  EXPECT_EQ(parse_size("1GiB").value(), 1u << 30);
  EXPECT_EQ(parse_size("1.5 GB").value(), 1'500'000'000u);
  for (const char* wrong : {"", "MB", "-1MB", "1XB", "1e30", "99999999999999GB", "1MB2"})
    EXPECT_FALSE(parse_size(wrong)) << wrong;
}

TEST(Whole, KeepsItsRange) {
  EXPECT_EQ(parse_whole("7", 1, 10).value(), 7u);
  for (const char* wrong : {"", "0", "11", "7x", "-7", "+7", " 7", "0x7", "7.0", "99999999999999999999999"})
    EXPECT_FALSE(parse_whole(wrong, 1, 10)) << wrong;
}

TEST(Rate, IsFiniteAndPositive) {
  EXPECT_EQ(parse_rate("0.5").value(), 0.5);
  for (const char* wrong : {"", "0", "-1", "nan", "inf", "1e999", "5RCU"})
    EXPECT_FALSE(parse_rate(wrong)) << wrong;
}

TEST(SegmentList, ReadsNumbersAndRanges) {
  EXPECT_EQ(parse_segment_list("3,7,10-12").value(), (std::set<std::uint32_t>{3, 7, 10, 11, 12}));
  for (const char* wrong : {"", "a", "3,", ",3", "5-3", "1-", "1000000", "1-2-3"})
    EXPECT_EQ(static_cast<bool>(parse_segment_list(wrong)), std::string_view(wrong) == "3,") << wrong;
}

TEST(Units, BudgetsAndShares) {
  EXPECT_EQ(parse_budget("8000"), 8000);
  EXPECT_EQ(parse_budget("unlimited"), kUnlimited);
  EXPECT_NE(parse_budget("much").error().message.find("\"unlimited\""), std::string::npos);
  EXPECT_EQ(parse_share("30%"), 0.3);
  EXPECT_EQ(parse_share("0.3"), 0.3);
  EXPECT_EQ(parse_share("100%"), 1);
  for (const char* bad : {"", "%", "0", "0%", "1.5", "101%", "-1", "nan", "30 %"})
    EXPECT_FALSE(parse_share(bad)) << bad;
}

}  // namespace
}  // namespace messina::plan
