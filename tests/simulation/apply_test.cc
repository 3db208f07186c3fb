// Many seeds of the simulated live migration around the real applier, and each of its rules removed.
//   apply_test              MESSINA_SIM_SEEDS seeds (2,000) from MESSINA_SIM_BASE (drawn)
//   apply_test --seed=N     that seed alone, with what it went through
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "apply_scenario.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

constexpr std::uint64_t kMostSeeds = 10'000;

TEST(ApplySimulation, TheTargetBecomesEqual) {
  const std::uint64_t seeds = seed_count();
  fmt::print("{} seeds from {}\n", seeds, base_seed());
  std::uint64_t lives = 0, crashes = 0, steps = 0, rejects = 0, failed = 0;
  std::uint64_t written = 0, removed = 0, reread = 0, clean_ends = 0;
  for (std::uint64_t seed = base_seed(); seed < base_seed() + seeds && failed < 10; ++seed) {
    const ApplyStory story = run_apply_scenario(seed);
    const ScenarioResult& result = story.result;
    lives += result.lives;
    crashes += result.crashes;
    steps += result.steps;
    rejects += result.rejects;
    written += story.written;
    removed += story.removed;
    reread += story.reread;
    clean_ends += story.clean_ends;
    if (result.violations.empty()) continue;
    ++failed;
    ADD_FAILURE() << "replay: apply_test --seed=" << seed << '\n' << result.text();
  }
  fmt::print(
      "{} processes, {} crashes, {} clean ends, {} written, {} removed, {} read again, {} rejects, {} "
      "steps\n",
      lives, crashes, clean_ends, written, removed, reread, rejects, steps);
  // A simulation in which nothing happens would prove nothing.
  if (seeds >= 500) {
    EXPECT_GT(crashes, seeds / 2);
    EXPECT_GT(clean_ends, seeds / 2);
    EXPECT_GT(written, seeds * 10);
    EXPECT_GT(removed, seeds / 2);
    EXPECT_GT(reread, seeds);
    EXPECT_GT(rejects, seeds / 10);
  }
}

TEST(ApplySimulation, ASeedReplaysExactly) {
  for (std::uint64_t seed = base_seed(); seed < base_seed() + 20; ++seed) {
    const ApplyStory first = run_apply_scenario(seed);
    const ApplyStory second = run_apply_scenario(seed);
    EXPECT_EQ(first.result.trace_hash, second.result.trace_hash) << seed;
    EXPECT_EQ(first.result.steps, second.result.steps) << seed;
  }
}

void expect_wrong_end(const jobs::ApplyFaults& faults, const ApplyWeather& weather) {
  expect_right_ends(200, [&](std::uint64_t seed) { return run_apply_scenario(seed, {}, weather).result; });
  simulation::expect_wrong_end(
      kMostSeeds, [&](std::uint64_t seed) { return run_apply_scenario(seed, faults, weather).result; });
}

TEST(ApplyMutation, AnUnknownOutcomeMustBeWaitedOut) {
  expect_wrong_end({.retry_unknown_at_once = true}, {.few_keys = true, .lost = true});
}

TEST(ApplyMutation, TwoWritesOfAKeyMustBeApart) {
  expect_wrong_end({.keys_not_apart = true}, {.few_keys = true});
}

TEST(ApplyMutation, ThePredecessorMustBeDead) {
  expect_wrong_end({.no_predecessor_wait = true}, {.few_keys = true, .lost = true, .many_lives = true});
}

TEST(ApplyMutation, AnUnprocessedKeyIsNotAbsent) {
  expect_wrong_end({.unprocessed_is_absent = true}, {.marks = true, .unprocessed = true});
}

TEST(ApplyMutation, ARejectComesBeforeItsEntryGoes) {
  expect_wrong_end({.settle_before_reject = true}, {.many_lives = true, .poison = true});
}

TEST(ApplyMutation, WhatCameAfterTheTakingStays) {
  expect_wrong_end({.settle_newest = true}, {.few_keys = true});
}

TEST(ApplyMutation, AReadDischargesWhatWasThereBeforeIt) {
  expect_wrong_end({.reread_settles_later_marks = true}, {.few_keys = true, .marks = true});
}

TEST(ApplyMutation, TheWatermarkIsNeeded) {
  expect_wrong_end({.no_watermark = true}, {.few_keys = true, .slow_pages = true});
}

int replay(std::uint64_t seed) {
  const ApplyStory story = run_apply_scenario(seed);
  const ScenarioResult& result = story.result;
  fmt::print("seed {}: {} processes, {} crashes, {} steps, {} rejects, trace {:016x}\n{}", seed, result.lives,
             result.crashes, result.steps, result.rejects, result.trace_hash, result.text());
  return result.violations.empty() ? 0 : 1;
}

}  // namespace
}  // namespace messina::simulation

int main(int argc, char** argv) {
  return messina::simulation::run_or_replay(argc, argv, messina::simulation::replay);
}
