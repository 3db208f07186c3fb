// One seed's story of a copy: the world that it meets, the crashes and stops that it survives, and the end.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "jobs/copy_internal.h"
#include "world.h"

namespace messina::simulation {

struct ScenarioResult {
  std::vector<Violation> violations;
  std::uint64_t trace_hash = 0;
  std::uint64_t steps = 0;
  std::uint32_t lives = 0;  ///< processes that were started
  std::uint32_t crashes = 0;
  std::uint64_t rejects = 0;
  std::uint64_t puts = 0;
  bool wrong_end() const;
  std::string text() const;  ///< the violations, one a line
};

/// `anything` is what the simulation test runs. `lossy` is where a mutation test looks: few keys that change
/// all the time, many lost requests, and processes that end and start in quick succession.
enum class Weather : std::uint8_t { anything, lossy };

ScenarioResult run_copy_scenario(std::uint64_t seed, const jobs::CopyFaults& faults = {},
                                 Weather weather = Weather::anything);

}  // namespace messina::simulation
