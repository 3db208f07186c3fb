// The write concurrency's closed loop in virtual time.
#include "pace/concurrency_limit.h"

#include <gtest/gtest.h>

#include "pace/virtual_target.h"

namespace messina::pace {
namespace {

using namespace std::chrono_literals;

struct Case {
  double places;  ///< requests that the target works on at once
  double jitter;  ///< of the time of each
  std::uint32_t start;
  std::uint64_t seed;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.places << " places, jitter " << c.jitter << ", from " << c.start << ", seed " << c.seed;
}

class Concurrency : public testing::TestWithParam<Case> {};

TEST_P(Concurrency, FindsAtLeast95PercentOfTheBestThroughput) {
  const Case& c = GetParam();
  VirtualTarget target({.places = c.places, .jitter = c.jitter, .seed = c.seed});
  ConcurrencyLimit limit({.start = c.start});
  target.run(limit, 120s);
  const double best = std::min(c.places, 256.0) / 0.020;
  EXPECT_GE(target.rate_between(10s, 120s), best * 0.95);
  // The queue that it keeps is bounded, too.
  if (c.places >= 8) {
    EXPECT_LE(target.mean_limit_between(10s, 120s), std::max(c.places * 2.2, 12.0));
  }
}

TEST_P(Concurrency, IsBackWithin30SecondsOfA20SecondStall) {
  const Case& c = GetParam();
  VirtualTarget target({.places = c.places, .jitter = c.jitter, .seed = c.seed});
  target.stall(40s, 60s);
  ConcurrencyLimit limit({.start = c.start});
  target.run(limit, 150s);
  EXPECT_LE(target.rate_between(41s, 59s), 0.01);
  EXPECT_GE(target.rate_between(90s, 150s), std::min(c.places, 256.0) / 0.020 * 0.95);
}

TEST_P(Concurrency, FollowsATargetThatBecameSlowerByItself) {
  const Case& c = GetParam();
  VirtualTarget target({.places = c.places, .jitter = c.jitter, .seed = c.seed});
  target.slow_down_at(40s, 3);
  ConcurrencyLimit limit({.start = c.start});
  target.run(limit, 150s);
  EXPECT_GE(target.rate_between(70s, 150s), std::min(c.places, 256.0) / 0.060 * 0.95);
}

INSTANTIATE_TEST_SUITE_P(Targets, Concurrency,
                         testing::Values(Case{8, 0.2, 32, 1}, Case{16, 0.2, 32, 2}, Case{32, 0, 32, 3},
                                         Case{64, 0.5, 32, 4}, Case{100, 0.2, 4, 5}, Case{200, 0.5, 16, 6},
                                         Case{1000, 0.2, 32, 7}));

TEST(ConcurrencyLimit, HalvesQuicklyWhenRefusedAndKeepsBelowWhatIsRefused) {
  VirtualTarget target({.places = 1000, .refuse_over = 60, .jitter = 0.2, .seed = 1});
  ConcurrencyLimit limit({.start = 200});
  target.run(limit, 120s);
  EXPECT_LE(target.mean_limit_between(1s, 3s), 60);
  EXPECT_GE(target.rate_between(10s, 120s), 60 / 0.020 * 0.75);
  EXPECT_LE(target.refused_between(10s, 120s), target.rate_between(10s, 120s) * 110 * 0.03);
}

TEST(ConcurrencyLimit, StaysInItsBoundsAndRestsWhereItIsNotNeeded) {
  ConcurrencyLimit limit({.least = 4, .most = 256, .start = 32});
  MonoTime now{1h};
  for (int i = 0; i < 100; ++i) limit.refused(now += 200ms);
  EXPECT_EQ(limit.limit(), 4u);
  EXPECT_EQ(limit.why(), "refusals");
  for (int i = 0; i < 5000; ++i)
    limit.observe(now += 200ms, {.answers = 300, .latency = 6s, .saturated = true});
  EXPECT_EQ(limit.limit(), 256u);
  ConcurrencyLimit idle({.start = 32});
  for (int i = 0; i < 1000; ++i) idle.observe(now += 200ms, {.answers = 300, .latency = 6s});
  EXPECT_EQ(idle.limit(), 32u);
  EXPECT_EQ(idle.why(), "not needed");
}

}  // namespace
}  // namespace messina::pace
