// Each rule removed: the simulation must then find a wrong end. A rule whose absence nobody notices would be
// no rule, or the simulation none.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "copy_scenario.h"

namespace messina::simulation {
namespace {

constexpr std::uint64_t kMostSeeds = 3000;

void expect_wrong_end(const jobs::CopyFaults& faults) {
  for (std::uint64_t seed = 1; seed <= kMostSeeds; ++seed) {
    const ScenarioResult result = run_copy_scenario(seed, faults, Weather::lossy);
    if (!result.wrong_end()) continue;
    fmt::print("wrong end at seed {}:\n{}", seed, result.text());
    return;
  }
  ADD_FAILURE() << "no wrong end within " << kMostSeeds << " seeds";
}

TEST(Mutation, NoneIsNeededForARightEnd) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const ScenarioResult result = run_copy_scenario(seed, {}, Weather::lossy);
    EXPECT_TRUE(result.violations.empty()) << seed << '\n' << result.text();
  }
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

TEST(Mutation, ACleanEndMustNotForgetThePredecessor) {
  jobs::CopyFaults faults;
  faults.clean_end_forgets_predecessor = true;
  expect_wrong_end(faults);
}

}  // namespace
}  // namespace messina::simulation
