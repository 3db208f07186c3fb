// Copy: history from a source to a target, by units, never losing its place.
//
// The job is a set of workers over lanes. A worker takes the next unit, reads its pages one ahead, writes
// each page in batches, and moves the unit's position only when every record of the page is acknowledged or
// in the rejects.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "base/random.h"
#include "endpoints/endpoint.h"
#include "item/transform.h"
#include "jobs/budgets.h"
#include "jobs/progress_board.h"
#include "jobs/shared_budgets.h"
#include "jobs/sight.h"
#include "jobs/steering.h"
#include "jobs/watermark.h"
#include "pace/capacity_share.h"
#include "pace/concurrency_limit.h"
#include "state/job_store.h"

namespace messina::jobs {

/// One event loop with its own endpoints. A unit lives on one lane from read to acknowledgement.
struct Lane {
  Loop* loop = nullptr;
  endpoints::Endpoint source;
  endpoints::Endpoint target;
};

struct CopyOptions {
  item::TransformRules transform;
  std::optional<std::uint32_t> segments;  ///< 1..1,000,000; absent: from the table's size
  std::set<std::uint32_t>
      skip_segments;           ///< indexes of units that are left out; their keys are nobody's claim
  bool into_existing = false;  ///< write into a target that is not empty
  bool restart = false;        ///< forget the former run's place
  /// Under which the target was made, where no job has it yet; an empty owner: it was there before.
  state::Authority reserved;
  bool take_over = false;  ///< write although the target belongs to another migration
  /// The read and the write budget; no limit where a side has no capacity units, unless it is `fixed`.
  pace::Wish read, write;
  /// Batches on the wire at once, over all lanes; >= 1. Absent: found, within `write_bounds`.
  std::optional<std::uint32_t> write_concurrency;
  pace::ConcurrencyLimit::Bounds write_bounds;
  std::uint32_t units_per_lane = 8;                ///< units at work at once on a lane; >= 1
  std::uint32_t most_units_per_lane = 0;           ///< grown to while the read budget is not used up
  std::uint64_t memory_bytes = 256u << 20;         ///< pages in flight, over all lanes
  Duration clock_error = std::chrono::seconds(1);  ///< S of the protocol
  Duration dead_after = std::chrono::seconds(30);  ///< D of the protocol
  std::string plan_fingerprint;                    ///< see state::JobIdentity
};

struct CopySummary {
  state::Counts counts;  ///< over all runs of this job
  std::uint64_t live_rejects = 0;
  std::uint64_t units = 0, units_skipped = 0;
  bool was_already_done = false;  ///< nothing was written by this run
  std::chrono::milliseconds elapsed{};
};

class LiveRejects;  // jobs/live_ledger.h

/// What a copy shares with those that capture and apply changes beside it, in the same process.
struct Companion {
  Companion(Duration clock_error, MonoTime now) : watermark(clock_error), reads(now) {}
  Watermark watermark;
  /// Of the source: pages of history and keys that are read again draw on the same.
  ReadBudget reads;
  std::atomic<std::uint64_t> source_throttles{0};  ///< of those who read keys again
  Sight owner;                                     ///< of the target: looked at by the others
  state::Authority authority;                      ///< taken already
  std::uint64_t capture_epoch = 0;                 ///< that runs: units that are begun now are read under it
  /// The heartbeat that this process found when it started; the present one is its own.
  std::optional<std::int64_t> former_heartbeat_unix_ms;
  LiveRejects* rejects = nullptr;  ///< of all parts: the copy adds its own, and clears it with a job's begin
  /// Asked for once the copy's job is begun, or found: from then on rejects stay.
  Stop history_begun;
  /// Asked for when the target turned out to be another's, or made again: not even what is begun is sent.
  Stop target_lost;
  /// Asked for by the copy as soon as it cannot go on, before what it has on the wire is answered: the others
  /// stop, too.
  Stop copy_failed;
  /// Set by the copy when it ends: no request of it is on the wire. It leaves the heartbeat to the others.
  std::atomic<bool> copy_is_quiet{true};
};

/// Everything a copy works with; all of it outlives the job.
struct CopyContext {
  std::vector<Lane>* lanes = nullptr;  ///< at least one; the job itself runs on the first
  state::JobStore* store = nullptr;
  ProgressBoard* board = nullptr;
  Stop* stop = nullptr;
  Steering* steering = nullptr;     ///< may be null: nobody steers
  SharedBudgets* shared = nullptr;  ///< may be null: no other copies run beside it
  /// CPU time that the lanes' loops have used so far, together; empty: not known (virtual time).
  std::function<std::chrono::nanoseconds()> cpu_time = {};
  Companion* companion = nullptr;  ///< may be null: nobody applies changes
  Random random{0};
};

/// Runs to the end or to a safe point after `stop`. Errors: stopped (run it again), needs_person (table made
/// again, other plan than the begun job's, target not empty), disk, and whatever a side answered for good.
/// Counts stay right in the store whatever happens.
Task<Result<CopySummary>> copy(CopyContext& context, const CopyOptions& options);

/// What to run one unit by itself needs, in another process: everything but the endpoints.
struct UnitRun {
  endpoints::Unit unit;
  endpoints::Cursor cursor;
};
/// Runs one unit from `cursor` to its end on the context's first lane; `store` records it as the only unit of
/// a job.
Task<Result<CopySummary>> copy_unit(CopyContext& context, const CopyOptions& options, const UnitRun& run);

}  // namespace messina::jobs
