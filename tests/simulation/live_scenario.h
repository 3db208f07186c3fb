// One seed's story of a live migration by the whole job: writers, a stream that splits, trims and fails,
// nodes with skewed clocks, requests that are lost and land late, processes that crash at any await, are
// stopped and started anew, and outages that are longer than the stream's retention. At the end, when nobody
// writes any more, the job must say by itself that the target is in step, and it must be so.
#pragma once
#include <cstdint>

#include "copy_scenario.h"
#include "jobs/migrate.h"
#include "world.h"

namespace messina::simulation {

/// Where a mutation test looks for its wrong end; each member makes something more frequent.
struct LiveWeather {
  bool few_keys = false;    ///< that change all the time
  bool lost = false;        ///< many lost requests
  bool many_lives = false;  ///< processes that end and start in quick succession
  bool slow_pages = false;  ///< history that takes long to be written
  bool outage = false;      ///< one that is longer than the stream's retention
};

/// Rules that a mutation test removes.
struct LiveFaults {
  jobs::CopyFaults copy;
  jobs::CaptureFaults capture;
  jobs::ApplyFaults apply;
  jobs::MigrateFaults migrate;
};

struct LiveStory {
  ScenarioResult result;
  std::uint64_t events = 0;  ///< captured, by processes that lived to tell
  std::uint64_t written = 0, removed = 0, reread = 0;
  std::uint64_t gaps = 0;                  ///< the most that stood at once
  std::uint64_t heals = 0;                 ///< processes that were started to heal
  std::uint64_t splits = 0;                ///< of shards
  std::uint64_t trimmed_unread = 0;        ///< records
  std::uint64_t claims = 0;                ///< ends by themselves
  std::uint64_t claims_while_written = 0;  ///< before the writers and the faults had stopped
};

LiveStory run_live_scenario(std::uint64_t seed, const LiveFaults& faults = {},
                            const LiveWeather& weather = {});

}  // namespace messina::simulation
