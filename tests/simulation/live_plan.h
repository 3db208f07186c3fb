// What a seed draws of a live migration before it begins: the world, the stream, the job's options, and what
// people do to it.
#pragma once
#include "base/random.h"
#include "jobs/migrate.h"
#include "live_scenario.h"
#include "sim_stream.h"
#include "world.h"

namespace messina::simulation {

/// What is done to a migration beside starting, stopping and killing it. Several of them may come together.
struct LivePlot {
  bool into_existing = false;  ///< the target has items of its own at the start
  bool skips = false;          ///< a segment is left out
  bool leave = false;          ///< there is leave to delete extra keys from the start; else at the end
  bool restarted = false;      ///< somebody copies from the start in mid-job
  bool spool_lost = false;     ///< the spool is deleted under the ledger
  bool spool_older = false;    ///< a former state of the spool is put under the ledger
  bool taken_over = false;     ///< another migration takes the target over
  bool paused = false;         ///< somebody pauses it now and then
  bool roles_apart = false;    ///< capture, copy and apply are processes of their own, one after another
};

struct LivePlan {
  WorldPlan world;
  StreamPlan stream;
  jobs::MigrateOptions options;
  LivePlot plot;
};

LivePlan draw_live(Random& random, const LiveFaults& faults, const LiveWeather& weather);

}  // namespace messina::simulation
