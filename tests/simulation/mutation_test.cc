// Each rule removed: the simulation must then find a wrong end. A rule whose absence nobody notices would be
// no rule, or the simulation none.
#include <gtest/gtest.h>

#include "copy_scenario.h"
#include "process.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMostSeeds = 3000;

void expect_wrong_end(const jobs::CopyFaults& faults) {
  simulation::expect_wrong_end(
      kMostSeeds, [&](std::uint64_t seed) { return run_copy_scenario(seed, faults, Weather::lossy); });
}

TEST(Mutation, NoneIsNeededForARightEnd) {
  expect_right_ends(500, [](std::uint64_t seed) { return run_copy_scenario(seed, {}, Weather::lossy); });
}

TEST(Mutation, Rule1IsNeeded) {
  jobs::CopyFaults faults;
  faults.retry_unknown_at_once = true;
  expect_wrong_end(faults);
}

TEST(Mutation, ThePageByPageCheckpointIsNeeded) {
  jobs::CopyFaults faults;
  faults.record_before_acknowledged = true;
  expect_wrong_end(faults);
}

TEST(Mutation, TheSplitOfRefusedBatchesIsNeeded) {
  jobs::CopyFaults faults;
  faults.reject_refused_batches_whole = true;
  expect_wrong_end(faults);
}

TEST(Mutation, ThePredecessorWaitIsNeeded) {
  jobs::CopyFaults faults;
  faults.no_predecessor_wait = true;
  expect_wrong_end(faults);
}

TEST(Mutation, TheDurableBegunLimitIsNeeded) {
  jobs::CopyFaults faults;
  faults.begin_units_unreserved = true;
  expect_wrong_end(faults);
}

TEST(Mutation, ThePauseAfterACleanEndIsNeeded) {
  jobs::CopyFaults faults;
  faults.no_wait_after_clean_end = true;
  expect_wrong_end(faults);
}

/// A process waits a quarter of an hour for its write budget while its ledger hangs, and dies as soon as it
/// has sent something, or after half an hour. Its successor finds a heartbeat so old that nothing can be on
/// the wire any more, and writes at once. Were something sent after all, it would land on top.
ScenarioResult tell_of_a_hanging_ledger(std::uint64_t seed, const jobs::CopyFaults& faults) {
  Universe universe(seed);
  WorldPlan plan;
  plan.keys = 6;
  plan.segments = 1;
  plan.page_items = 6;
  plan.batch_items = 1;
  plan.clock_error = 1s;
  plan.dead_after = 30s;
  plan.writer_changes = 4000;
  plan.writing = 1h;
  World world(universe, plan);
  Disk disk;
  jobs::CopyTuning tuning;
  tuning.faults = faults;
  ScenarioResult story;
  const MonoTime began = universe.now();
  {
    jobs::CopyOptions slow;
    slow.clock_error = plan.clock_error;
    slow.dead_after = plan.dead_after;
    slow.write = {pace::Wish::Kind::fixed, 1.0 / (15 * 60)};
    Process first(universe, world, disk, slow, tuning, seed);
    // Begun, and the target taken: from then on a commit is only for the pages.
    while ((!disk.job || world.target_table.tags.empty()) && first.loop.step()) {
    }
    disk.hangs_until = began + 2h;
    while (first.observed.puts == 0 && universe.now() < began + 30min && first.loop.step()) {
    }
    story.puts = first.observed.puts;
  }
  disk.drop_pending();
  disk.hangs_until = MonoTime{};
  world.sender_died();
  jobs::CopyOptions fast;
  fast.clock_error = plan.clock_error;
  fast.dead_after = plan.dead_after;
  Process second(universe, world, disk, fast, jobs::CopyTuning(), seed + 1);
  while (!second.result && second.loop.step()) {
  }
  while (!universe.idle()) universe.run_next_event();
  world.check_end(*disk.job, disk.rejects, disk.began);
  story.violations = world.violations();
  return story;
}

TEST(Mutation, TheSecondLookAfterTheWaitForTheWriteBudgetIsNeeded) {
  constexpr std::uint64_t kSeeds = 50;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const ScenarioResult right = tell_of_a_hanging_ledger(seed, {});
    EXPECT_EQ(right.puts, 0u) << "sent although the ledger hangs, at seed " << seed;
    EXPECT_TRUE(right.violations.empty()) << seed << '\n' << right.text();
  }
  jobs::CopyFaults faults;
  faults.send_after_waiting_for_budget = true;
  std::uint64_t wrong_ends = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed)
    wrong_ends += tell_of_a_hanging_ledger(seed, faults).wrong_end();
  EXPECT_GT(wrong_ends, 0u);
}

TEST(Mutation, ACleanEndMustNotForgetThePredecessor) {
  jobs::CopyFaults faults;
  faults.clean_end_forgets_predecessor = true;
  expect_wrong_end(faults);
}

}  // namespace
}  // namespace messina::simulation
