// Many seeds of the simulated copy. A failing seed prints the command that replays it.
//   simulation_test              MESSINA_SIM_SEEDS seeds (2,000) from MESSINA_SIM_BASE (drawn)
//   simulation_test --seed=N     that seed alone, with what it went through
#include <cstdlib>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "copy_scenario.h"

namespace messina::simulation {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Seeds are short numbers, to be typed.
std::uint64_t base_seed() {
  static const std::uint64_t base = from_environment("MESSINA_SIM_BASE", entropy_seed() % 1'000'000'000);
  return base;
}

TEST(Simulation, CopyConverges) {
  const std::uint64_t seeds = from_environment("MESSINA_SIM_SEEDS", 2000);
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
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--seed=", 7) == 0) {
      return messina::simulation::replay(std::strtoull(argv[i] + 7, nullptr, 10));
    }
  }
  return RUN_ALL_TESTS();
}
