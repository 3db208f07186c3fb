// What copy, copy-unit and `rejects retry` have in common: the lock, the ledger, the loops.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>

#include "base/error.h"
#include "cli/lanes.h"
#include "cli/session.h"
#include "console/events.h"
#include "jobs/capture.h"
#include "jobs/copy.h"
#include "jobs/schema.h"
#include "plan/plan.h"
#include "state/ledger.h"
#include "state/ledger_store.h"

namespace messina::cli {

/// Makes the state directory, takes the migration's lock and opens its ledger. Errors: needs_person (in use,
/// newer format), disk, corrupt.
struct OpenedState {
  std::filesystem::path folder;
  state::MigrationLock lock;
  std::unique_ptr<state::Ledger> ledger;
};
Result<OpenedState> open_state(const std::string& state_dir, const state::MigrationName& name,
                               const Clock& clock);
/// The same in a state directory that is made already.
Result<OpenedState> open_migration(const std::string& state_dir, const state::MigrationName& name,
                                   const Clock& clock);

struct PreparedCopy {
  std::optional<jobs::SchemaReport> report;  ///< absent: the job is done, or was told not to look
  state::Authority reserved;                 ///< for jobs::CopyOptions::reserved
};
/// Looks at both sides' tables and makes the target's, with the owner's tags, unless the job is done or was
/// told not to look. `capture`: how changes will be captured, for which there must be a stream before
/// anything is made; null if they are not. Errors: of the sides, config (no stream), not_found (the target
/// has no table and none may be made).
Task<Result<PreparedCopy>> prepare_copy(Loop* loop, jobs::Lane* lane, const plan::CopyPlan* plan,
                                        state::LedgerStore* store, Stop* stop,
                                        const jobs::CaptureOptions* capture = nullptr);
/// What `schema` does.
Task<Result<jobs::SchemaReport>> make_target(Loop* loop, jobs::Lane* lane, const plan::CopyPlan* plan,
                                             Stop* stop);

/// Says what was made on the target, and what differs.
void say_schema(Session& session, const jobs::SchemaReport& report);

jobs::CopyOptions copy_options(const plan::CopyPlan& plan, std::size_t lanes);
jobs::SchemaOptions schema_options(const plan::CopyPlan& plan);

/// What a ledger has of a job.
jobs::CopySummary summary_of(const state::JobState& state);

/// How a copy ended.
struct CopyEnd {
  Result<jobs::CopySummary> result;
  /// When it did not come to its end: what the ledger has of it, if it was begun.
  std::optional<jobs::CopySummary> so_far;
  /// When it did not come to its end: whether a new run finds a place in the ledger.
  Left left = Left::no_place;
  bool not_opened = false;  ///< the migration's state could not be had: see join_holder()
};
/// Runs on the calling thread, which is no loop's.
CopyEnd ended(Loop& loop, state::LedgerStore& store, Result<jobs::CopySummary> result);

/// The event of a copy that came to its end, or of what there is of it so far.
console::Outcome outcome_of(const plan::CopyPlan& plan, const CopyEnd& end, const jobs::CopySummary& summary);

/// Says how a copy ended, after checking that its numbers add up.
ExitCode report_copy(Session& session, const plan::CopyPlan& plan, const CopyEnd& end);

}  // namespace messina::cli
