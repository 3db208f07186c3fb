// Migrate: one table, live. Capture, copy and apply side by side, then following until it is told to stop.
//
// The order in which it begins is what makes it right: the target is taken (rule 20), the stream's shards are
// listed and their positions stored (rule 13), only then is the first page of history read. Every part goes
// on where it was when the process starts anew. A running process can be asked to do more of the parts
// (Steering::wish()); they begin in the same order, by the same rules.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "jobs/apply.h"
#include "jobs/authority.h"
#include "jobs/capture.h"
#include "jobs/copy.h"
#include "jobs/copy_internal.h"
#include "jobs/live_tables.h"
#include "jobs/reread_rejects.h"
#include "jobs/roles.h"
#include "jobs/verify.h"
#include "jobs/verify_desk.h"
#include "state/spool_store.h"

namespace messina::jobs {

/// Rules that a mutation test removes.
struct MigrateFaults {
  bool no_backward_pass = false;     ///< without rule 15: nobody looks for keys that only the target has
  bool any_spool_will_do = false;    ///< without rule 10: a spool that is missing or older is no gap
  bool spool_unbounded = false;      ///< without rule 12's bound
  bool claims_unpolled = false;      ///< without rule 16: a claim needs no fresh listing and no fresh polls
  bool owner_seen_for_ever = false;  ///< without rule 20: looks that fail do not count
  bool former_owner_not_outwaited = false;  ///< without rule 20's wait after taking a target over
};

struct MigrateOptions {
  CopyOptions copy;  ///< transform, clock_error and dead_after are everybody's
  CaptureOptions capture;
  ApplyOptions apply;
  Roles roles;
  /// Ends as soon as the target is in step (PROTOCOL rule 16); else only a stop ends it.
  bool until_in_step = false;
  /// How old the oldest change that waits may be for that.
  std::chrono::milliseconds allowed_lag{10'000};
  /// How often it looks whether the target is still its own; at most kOwnerSeenLasts, less what a look may
  /// take.
  Duration look_at_tables_every = kLookAtOwnerEvery;
  std::uint64_t spool_max_bytes = 0;  ///< PROTOCOL rule 12; 0: as much as the disk has
  /// PROTOCOL rule 15: where changes were missed, history is copied again, and keys that only the target has
  /// are looked for. Goes on with a healing that was begun and is not done.
  bool heal = false;
  /// Only where a gap is known at the start; else also where none is.
  bool heal_known_gaps_alone = false;
  /// Keys that only the target has are deleted although it was not empty at the start, or segments were left
  /// out.
  bool delete_extra = false;
  /// When it is in step for the first time, everything is verified and, unless it ends then, each key that
  /// changes from then on.
  bool verify = false;
  /// Begins at once, and the run ends with it: for what needs an applier alone.
  std::optional<VerifyWish> verify_and_end;
  CopyTuning copy_tuning;      ///< tests only
  VerifyTuning verify_tuning;  ///< likewise
  MigrateFaults faults;
  VerifyFaults verify_faults;
};

struct MigrateSummary {
  CopySummary copy;   ///< of this run, unless history was copied before
  LiveProgress live;  ///< as it was when it ended
  bool history_done = false;
  std::uint64_t live_rejects = 0;
  bool ended_by_itself = false;           ///< in step, or only rejects stood against it; else it was stopped
  std::optional<VerifyFigures> verified;  ///< of the last verification of this process
};

/// Of a run over many tables, what this one of them is in it. All of it outlives the job.
struct AmongTables {
  std::size_t index = 0;
  CopyTurns* turns = nullptr;          ///< history is copied when its turn has come; null: at once
  InStepTogether* together = nullptr;  ///< for `until_in_step`; null: it ends for itself
};

/// Everything it works with; all of it outlives the job.
struct MigrateContext {
  std::vector<Lane>* lanes = nullptr;  ///< at least one; the job itself runs on the first
  state::JobStore* store = nullptr;
  state::SpoolStore* spool = nullptr;
  ProgressBoard* board = nullptr;
  Stop* stop = nullptr;
  Steering* steering = nullptr;                ///< may be null: nobody steers, or asks for more roles
  RejectRetries* retries = nullptr;            ///< may be null: nobody asks for rejects to be read again
  state::VerifyStore* verify_store = nullptr;  ///< may be null: nothing is verified
  VerifyDesk* verify_desk = nullptr;           ///< may be null: nobody asks for a verification
  SharedBudgets* shared = nullptr;             ///< may be null
  AmongTables among = {};
  Random random{0};
};

/// Runs until the stop, until in step if that was asked for, or until an error for good. A stop is an end as
/// well: it is no error. Errors: needs_person (gap, other owner, tables made again, other plan), config,
/// disk, and whatever a side answered for good.
Task<Result<MigrateSummary>> migrate(MigrateContext& context, const MigrateOptions& options);

}  // namespace messina::jobs
