// What copy, copy-unit and `rejects retry` have in common: the lock, the ledger, the loops.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>

#include "base/error.h"
#include "cli/lanes.h"
#include "cli/session.h"
#include "console/events.h"
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

jobs::CopyOptions copy_options(const plan::CopyPlan& plan, std::size_t lanes);
jobs::SchemaOptions schema_options(const plan::CopyPlan& plan);

/// How a copy ended.
struct CopyEnd {
  Result<jobs::CopySummary> result;
  /// When it did not come to its end: what the ledger has of it, if it was begun.
  std::optional<jobs::CopySummary> so_far;
};
/// Runs on the calling thread, which is no loop's.
CopyEnd ended(Loop& loop, state::LedgerStore& store, Result<jobs::CopySummary> result);

/// Says how a copy ended, after checking that its numbers add up.
ExitCode report_copy(Session& session, const plan::CopyPlan& plan, const CopyEnd& end);

}  // namespace messina::cli
