// One seed's story of a live migration by the whole job: writers, a stream that splits, trims and fails,
// nodes with skewed clocks, requests that are lost and land late, processes that crash at any await, are
// stopped and started anew, outages that are longer than the stream's retention, and what people do to a
// migration (live_plan.h). At the end, when nobody writes any more, the job must say by itself that the
// target is in step, and it must be so.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "copy_scenario.h"
#include "jobs/migrate.h"
#include "world.h"

namespace messina::simulation {

/// Where a mutation test looks for its wrong end; each member makes something more frequent.
struct LiveWeather {
  bool few_keys = false;      ///< that change all the time
  bool lost = false;          ///< many lost requests
  bool many_lives = false;    ///< processes that end and start in quick succession
  bool slow_pages = false;    ///< history that takes long to be written
  bool stuck_pages = false;   ///< history that hardly gets through at all
  bool outage = false;        ///< one that is longer than the stream's retention
  bool poison = false;        ///< items that the target refuses
  bool unprocessed = false;   ///< keys that are left unprocessed
  bool marks = false;         ///< a stream that tells keys only
  bool odd_streams = false;   ///< of all views, replaced by others, with many splits
  bool small_spool = false;   ///< a low bound of the spool, which waits for an applier
  bool older_spools = false;  ///< a former state of the spool is put under the ledger
  bool rivals = false;        ///< another migration takes the target over
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
  std::string course;  ///< a line about each process: when it began, what it was told, how it ended
  std::map<std::string, std::uint64_t> plots;  ///< how often something of kLivePlots came about
};

/// What must come about in the stories of many seeds.
inline constexpr const char* kLivePlots[] = {"extra keys stay",
                                             "extra keys deleted by leave",
                                             "a segment left out",
                                             "restarted in mid-job",
                                             "spool missing",
                                             "spool older",
                                             "taken over from the dead",
                                             "taken over from the living",
                                             "the former owner kept out",
                                             "paused",
                                             "capture alone",
                                             "copy alone",
                                             "apply alone"};

LiveStory run_live_scenario(std::uint64_t seed, const LiveFaults& faults = {},
                            const LiveWeather& weather = {});

}  // namespace messina::simulation
