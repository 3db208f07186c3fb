// Many seeds of the simulated live migration by the whole job, and each of its rules removed.
//   live_test              MESSINA_SIM_SEEDS seeds (2,000) from MESSINA_SIM_BASE (drawn)
//   live_test --seed=N     that seed alone, with what it went through
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "live_scenario.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

constexpr std::uint64_t kMostSeeds = 10'000;

TEST(LiveSimulation, TheTargetIsInStepWhenItSaysSo) {
  const std::uint64_t seeds = seed_count();
  fmt::print("{} seeds from {}\n", seeds, base_seed());
  LiveStory all;
  std::uint64_t failed = 0, with_gap = 0;
  for (std::uint64_t seed = base_seed(); seed < base_seed() + seeds && failed < 10; ++seed) {
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
}

TEST(LiveSimulation, ASeedReplaysExactly) {
  for (std::uint64_t seed = base_seed(); seed < base_seed() + 20; ++seed) {
    const LiveStory first = run_live_scenario(seed);
    const LiveStory second = run_live_scenario(seed);
    EXPECT_EQ(first.result.trace_hash, second.result.trace_hash) << seed;
    EXPECT_EQ(first.result.steps, second.result.steps) << seed;
  }
}

void expect_wrong_end(const LiveFaults& faults, const LiveWeather& weather) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const LiveStory story = run_live_scenario(seed, {}, weather);
    EXPECT_TRUE(story.result.violations.empty()) << seed << '\n' << story.result.text();
  }
  for (std::uint64_t seed = 1; seed <= kMostSeeds; ++seed) {
    const LiveStory story = run_live_scenario(seed, faults, weather);
    if (!story.result.wrong_end()) continue;
    for (const Violation& violation : story.result.violations) {
      if (violation.kind == Violation::Kind::wrong_end)
        fmt::print("wrong end at seed {}: {}\n", seed, violation.text);
    }
    return;
  }
  ADD_FAILURE() << "no wrong end within " << kMostSeeds << " seeds";
}

TEST(LiveMutation, TheWatermarkMustKnowThePages) {
  LiveFaults faults;
  faults.copy.pages_unmarked = true;
  expect_wrong_end(faults, {.few_keys = true, .slow_pages = true});
}

TEST(LiveMutation, TheApplierMustAskTheWatermark) {
  LiveFaults faults;
  faults.apply.no_watermark = true;
  expect_wrong_end(faults, {.few_keys = true, .slow_pages = true});
}

TEST(LiveMutation, CaptureComesBeforeHistory) {
  LiveFaults faults;
  faults.capture.begin_at_latest = true;
  expect_wrong_end(faults, {});
}

TEST(LiveMutation, HealingNeedsTheBackwardPass) {
  LiveFaults faults;
  faults.migrate.no_backward_pass = true;
  expect_wrong_end(faults, {.outage = true});
}

TEST(LiveMutation, AnUnknownOutcomeMustBeWaitedOut) {
  LiveFaults faults;
  faults.apply.retry_unknown_at_once = true;
  expect_wrong_end(faults, {.few_keys = true, .lost = true});
}

TEST(LiveMutation, ThePredecessorMustBeDead) {
  LiveFaults faults;
  faults.apply.no_predecessor_wait = true;
  expect_wrong_end(faults, {.few_keys = true, .lost = true, .many_lives = true});
}

TEST(LiveMutation, AGapMustBeNoticed) {
  LiveFaults faults;
  faults.capture.no_gap_by_age = true;
  expect_wrong_end(faults, {.outage = true});
}

int replay(std::uint64_t seed) {
  const LiveStory story = run_live_scenario(seed);
  const ScenarioResult& result = story.result;
  fmt::print(
      "seed {}: {} processes, {} crashes, {} steps, {} events, {} gaps, {} healings, {} rejects, trace "
      "{:016x}\n{}",
      seed, result.lives, result.crashes, result.steps, story.events, story.gaps, story.heals, result.rejects,
      result.trace_hash, result.text());
  return result.violations.empty() ? 0 : 1;
}

}  // namespace
}  // namespace messina::simulation

int main(int argc, char** argv) {
  return messina::simulation::run_or_replay(argc, argv, messina::simulation::replay);
}
