// One seed's story of a live migration: a source that changes while its history is copied, a perfect capture,
// the real applier, and the crashes and stops that they survive.
#pragma once
#include <cstdint>

#include "copy_scenario.h"
#include "jobs/apply.h"
#include "world.h"

namespace messina::simulation {

/// Where a mutation test looks for its wrong end; each member makes something more frequent.
struct ApplyWeather {
  bool few_keys = false;    ///< that change all the time
  bool lost = false;        ///< many lost requests
  bool many_lives = false;  ///< processes that end and start in quick succession
  bool marks = false;       ///< most changes are told as marks
  bool slow_pages = false;  ///< pages are written long after they were read
  bool poison = false;      ///< keys that the target refuses, and a slow ledger
  bool unprocessed = false;
};

struct ApplyStory {
  ScenarioResult result;
  std::uint64_t written = 0, removed = 0, reread = 0;  ///< by the applier
  std::uint64_t unknown_outcomes = 0;  ///< stories' lives that ended with one, or saw one at their end
  std::uint64_t clean_ends = 0;
};

ApplyStory run_apply_scenario(std::uint64_t seed, const jobs::ApplyFaults& faults = {},
                              const ApplyWeather& weather = {});

}  // namespace messina::simulation
