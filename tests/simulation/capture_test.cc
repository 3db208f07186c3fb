// Many seeds of the simulated capture. A failing seed prints the command that replays it.
//   capture_test              MESSINA_SIM_SEEDS seeds (2,000) from MESSINA_SIM_BASE (drawn)
//   capture_test --seed=N     that seed alone, in every weather
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "capture_scenario.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

struct Totals {
  std::uint64_t lives = 0, crashes = 0, steps = 0, events = 0, gaps = 0, splits = 0, trimmed = 0, heals = 0;
};

Totals run_seeds(std::uint64_t seeds, CaptureWeather weather) {
  fmt::print("{} seeds from {}\n", seeds, base_seed());
  Totals totals;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = base_seed(); seed < base_seed() + seeds && failed < 10; ++seed) {
    const CaptureResult result = run_capture_scenario(seed, {}, weather);
    totals.lives += result.lives;
    totals.crashes += result.crashes;
    totals.steps += result.steps;
    totals.events += result.events;
    totals.gaps += result.gaps > 0;
    totals.splits += result.splits;
    totals.trimmed += result.trimmed_unread;
    totals.heals += result.heals;
    if (result.violations.empty()) continue;
    ++failed;
    ADD_FAILURE() << "replay: capture_test --seed=" << seed << '\n' << result.text();
  }
  fmt::print(
      "{} processes, {} crashes, {} events, {} splits, {} records trimmed unread, {} stories with a gap, "
      "{} healed, {} steps\n",
      totals.lives, totals.crashes, totals.events, totals.splits, totals.trimmed, totals.gaps, totals.heals,
      totals.steps);
  return totals;
}

TEST(CaptureSimulation, NothingIsMissedWithoutAGap) {
  const std::uint64_t seeds = seed_count();
  const Totals totals = run_seeds(seeds, CaptureWeather::anything);
  // A simulation in which nothing happens would prove nothing.
  if (seeds < 500) return;
  EXPECT_GT(totals.crashes, seeds / 2);
  EXPECT_GT(totals.splits, seeds / 2);
  EXPECT_GT(totals.trimmed, seeds / 4);
  EXPECT_GT(totals.heals, seeds / 10);
  EXPECT_LT(totals.heals, seeds * 2 / 3);
  EXPECT_GT(totals.events, seeds * 10);
}

TEST(CaptureSimulation, ThereIsNoGapWhereNobodyIsAwayForLong) {
  const std::uint64_t seeds = seed_count() / 4;
  const Totals totals = run_seeds(seeds, CaptureWeather::calm);
  EXPECT_EQ(totals.gaps, 0u);
}

TEST(CaptureSimulation, ASeedReplaysExactly) {
  for (std::uint64_t seed = base_seed(); seed < base_seed() + 20; ++seed) {
    const CaptureResult first = run_capture_scenario(seed);
    const CaptureResult second = run_capture_scenario(seed);
    EXPECT_EQ(first.trace_hash, second.trace_hash) << seed;
    EXPECT_EQ(first.steps, second.steps) << seed;
  }
}

int replay(std::uint64_t seed) {
  bool good = true;
  for (const CaptureWeather weather :
       {CaptureWeather::anything, CaptureWeather::calm, CaptureWeather::rough}) {
    const CaptureResult result = run_capture_scenario(seed, {}, weather);
    fmt::print("seed {}: {} processes, {} crashes, {} events, {} steps, {} gaps, {} heals, trace {:016x}\n{}",
               seed, result.lives, result.crashes, result.events, result.steps, result.gaps, result.heals,
               result.trace_hash, result.text());
    good = good && result.violations.empty();
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace messina::simulation

int main(int argc, char** argv) {
  return messina::simulation::run_or_replay(argc, argv, messina::simulation::replay);
}
