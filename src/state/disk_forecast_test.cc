#include "state/disk_forecast.h"

#include <gtest/gtest.h>

namespace messina::state {
namespace {

using namespace std::chrono_literals;

TEST(DiskForecast, HoursLeft) {
  constexpr std::uint64_t kGiB = 1u << 30;
  EXPECT_DOUBLE_EQ(disk_hours_left(10 * kGiB, 0, double(kGiB) / 3600).value(), 10);
  EXPECT_DOUBLE_EQ(disk_hours_left(10 * kGiB, 4 * kGiB, double(kGiB) / 3600).value(), 6);
  EXPECT_EQ(disk_hours_left(kGiB, kGiB, 1), 0.0);
  EXPECT_EQ(disk_hours_left(1, kGiB, 0), 0.0);
  EXPECT_EQ(disk_hours_left(10 * kGiB, 0, 0), std::nullopt);
  EXPECT_EQ(disk_hours_left(10 * kGiB, 0, -5), std::nullopt);
}

TEST(DiskForecast, GrowthIsThatOfTheWindow) {
  DiskGrowth growth;
  EXPECT_EQ(growth.bytes_per_s(), 0);
  MonoTime now{1h};
  growth.sample(now, 1000);
  EXPECT_EQ(growth.bytes_per_s(), 0);
  growth.sample(now + 1s, 5'000'000);  // too soon
  EXPECT_EQ(growth.bytes_per_s(), 0);
  growth.sample(now + 10s, 2000);
  EXPECT_DOUBLE_EQ(growth.bytes_per_s(), 100);
  for (int minute = 1; minute <= 30; ++minute) growth.sample(now + minute * 1min, 10'000u + 60u * minute);
  EXPECT_DOUBLE_EQ(growth.bytes_per_s(), 1);
  growth.sample(now + 31min, 0);
  EXPECT_LT(growth.bytes_per_s(), 0);
}

}  // namespace
}  // namespace messina::state
