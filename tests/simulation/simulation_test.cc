// Many seeds of the simulated copy. A failing seed prints the command that replays it.
//   simulation_test              MESSINA_SIM_SEEDS seeds (2,000) from MESSINA_SIM_BASE (drawn)
//   simulation_test --seed=N     that seed alone, with what it went through
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "copy_scenario.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

TEST(Simulation, CopyConverges) {
  const std::uint64_t seeds = seed_count();
  fmt::print("{} seeds from {}\n", seeds, base_seed());
  std::uint64_t lives = 0, crashes = 0, steps = 0, rejects = 0, failed = 0;
  for (std::uint64_t seed = base_seed(); seed < base_seed() + seeds && failed < 10; ++seed) {
    const ScenarioResult result = run_copy_scenario(seed);
    lives += result.lives;
    crashes += result.crashes;
    steps += result.steps;
    rejects += result.rejects;
    if (result.violations.empty()) continue;
    ++failed;
    ADD_FAILURE() << "replay: simulation_test --seed=" << seed << '\n' << result.text();
  }
  fmt::print("{} processes, {} crashes, {} rejects, {} steps\n", lives, crashes, rejects, steps);
  // A simulation in which nothing happens would prove nothing.
  if (seeds >= 500) {
    EXPECT_GT(crashes, seeds / 2);
    EXPECT_GT(rejects, seeds / 10);
  }
}

TEST(Simulation, ASeedReplaysExactly) {
  for (std::uint64_t seed = base_seed(); seed < base_seed() + 20; ++seed) {
    const ScenarioResult first = run_copy_scenario(seed);
    const ScenarioResult second = run_copy_scenario(seed);
    EXPECT_EQ(first.trace_hash, second.trace_hash) << seed;
    EXPECT_EQ(first.steps, second.steps) << seed;
  }
}

int replay(std::uint64_t seed) {
  const ScenarioResult result = run_copy_scenario(seed);
  fmt::print("seed {}: {} processes, {} crashes, {} steps, {} rejects, trace {:016x}\n{}", seed, result.lives,
             result.crashes, result.steps, result.rejects, result.trace_hash, result.text());
  return result.violations.empty() ? 0 : 1;
}

}  // namespace
}  // namespace messina::simulation

int main(int argc, char** argv) {
  return messina::simulation::run_or_replay(argc, argv, messina::simulation::replay);
}
