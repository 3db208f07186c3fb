// What the tests of many seeds share: how many seeds, from which, and how one is replayed.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace messina::simulation {

/// MESSINA_SIM_SEEDS, or 2,000.
inline std::uint64_t seed_count() {
  const char* text = std::getenv("MESSINA_SIM_SEEDS");
  return text == nullptr || *text == '\0' ? 2000 : std::strtoull(text, nullptr, 10);
}

/// MESSINA_SIM_BASE, or drawn once. Seeds are short numbers, to be typed.
inline std::uint64_t base_seed() {
  static const std::uint64_t base = [] {
    const char* text = std::getenv("MESSINA_SIM_BASE");
    const bool given = text != nullptr && *text != '\0';
    return given ? std::strtoull(text, nullptr, 10) : entropy_seed() % 1'000'000'000;
  }();
  return base;
}

/// Of stories from which a rule was taken away, one of the first `most_seeds` must end wrong. `tell(seed)`
/// gives a result that knows wrong_end() and text().
template <class Tell>
void expect_wrong_end(std::uint64_t most_seeds, Tell tell) {
  for (std::uint64_t seed = 1; seed <= most_seeds; ++seed) {
    const auto result = tell(seed);
    if (!result.wrong_end()) continue;
    fmt::print("wrong end at seed {}:\n{}", seed, result.text());
    return;
  }
  ADD_FAILURE() << "no wrong end within " << most_seeds << " seeds";
}

/// With all rules, where such a test looks, every story ends right.
template <class Tell>
void expect_right_ends(std::uint64_t seeds, Tell tell) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto result = tell(seed);
    EXPECT_TRUE(result.violations.empty()) << seed << '\n' << result.text();
  }
}

/// The main() of such a test: with --seed=N `replay(N)` and nothing else, which gives the exit status.
inline int run_or_replay(int argc, char** argv, int (*replay)(std::uint64_t)) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--seed=", 7) == 0) return replay(std::strtoull(argv[i] + 7, nullptr, 10));
  }
  return RUN_ALL_TESTS();
}

}  // namespace messina::simulation
