// Many seeds of the simulated live migration by the whole job.
//   live_test              MESSINA_SIM_SEEDS seeds (2,000) from MESSINA_SIM_BASE (drawn)
//   live_test --seed=N     that seed alone, with what it went through
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "live_scenario.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

/// Seeds that are told before the test gives up.
constexpr std::uint64_t kMostFailures = 10;

TEST(LiveSimulation, TheTargetIsInStepWhenItSaysSo) {
  const std::uint64_t seeds = seed_count();
  fmt::print("{} seeds from {}\n", seeds, base_seed());
  LiveStory all;
  std::uint64_t failed = 0, with_gap = 0;
  for (std::uint64_t seed = base_seed(); seed < base_seed() + seeds && failed < kMostFailures; ++seed) {
    const LiveStory story = run_live_scenario(seed);
    all.result.lives += story.result.lives;
    all.result.crashes += story.result.crashes;
    all.result.steps += story.result.steps;
    all.result.rejects += story.result.rejects;
    all.events += story.events;
    all.written += story.written;
    all.removed += story.removed;
    all.reread += story.reread;
    all.heals += story.heals;
    all.splits += story.splits;
    all.trimmed_unread += story.trimmed_unread;
    all.claims_while_written += story.claims_while_written;
    with_gap += story.gaps > 0;
    for (const auto& [plot, count] : story.plots) all.plots[plot] += count;
    if (story.result.violations.empty()) continue;
    ++failed;
    ADD_FAILURE() << "replay: live_test --seed=" << seed << '\n' << story.result.text();
  }
  fmt::print(
      "{} processes, {} crashes, {} events, {} written, {} removed, {} read again, {} rejects, {} splits, {} "
      "records trimmed unread, {} stories with a gap, {} healings, {} claims beside the writers, {} steps\n",
      all.result.lives, all.result.crashes, all.events, all.written, all.removed, all.reread,
      all.result.rejects, all.splits, all.trimmed_unread, with_gap, all.heals, all.claims_while_written,
      all.result.steps);
  for (const auto& [plot, count] : all.plots) fmt::print("{}: {}\n", plot, count);
  // A simulation in which nothing happens would prove nothing.
  if (seeds < 500 || failed > 0) return;
  EXPECT_GT(all.result.crashes, seeds / 2);
  EXPECT_GT(all.events, seeds * 5);
  EXPECT_GT(all.written, seeds * 2);
  EXPECT_GT(all.removed, seeds / 4);
  EXPECT_GT(all.reread, seeds / 2);
  EXPECT_GT(all.result.rejects, seeds / 10);
  EXPECT_GT(all.splits, seeds / 2);
  EXPECT_GT(all.trimmed_unread, seeds / 10);
  EXPECT_GT(with_gap, seeds / 20);
  EXPECT_GT(all.claims_while_written, seeds / 20);
  for (const char* plot : kLivePlots) EXPECT_GT(all.plots[plot], 0u) << plot;
}

TEST(LiveSimulation, ASeedReplaysExactly) {
  for (std::uint64_t seed = base_seed(); seed < base_seed() + 20; ++seed) {
    const LiveStory first = run_live_scenario(seed);
    const LiveStory second = run_live_scenario(seed);
    EXPECT_EQ(first.result.trace_hash, second.result.trace_hash) << seed;
    EXPECT_EQ(first.result.steps, second.result.steps) << seed;
  }
}

int replay(std::uint64_t seed) {
  const LiveStory story = run_live_scenario(seed);
  const ScenarioResult& result = story.result;
  fmt::print(
      "seed {}: {} processes, {} crashes, {} steps, {} events, {} gaps, {} healings, {} rejects, trace "
      "{:016x}\n{}\n{}",
      seed, result.lives, result.crashes, result.steps, story.events, story.gaps, story.heals, result.rejects,
      result.trace_hash, story.course, result.text());
  return result.violations.empty() ? 0 : 1;
}

}  // namespace
}  // namespace messina::simulation

int main(int argc, char** argv) {
  return messina::simulation::run_or_replay(argc, argv, messina::simulation::replay);
}
