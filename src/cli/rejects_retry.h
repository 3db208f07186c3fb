// Sending what the target refused once more.
#pragma once
#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "cli/copy_job.h"
#include "cli/lanes.h"
#include "cli/migrations.h"
#include "cli/session.h"
#include "plan/plan.h"
#include "state/ledger.h"

namespace messina::cli {

struct RetryResult {
  std::uint64_t written = 0;
  std::uint64_t refused = 0;
};

/// Sends the live rejects of a finished copy, as they were read, through the plan's renames and drops
/// (jobs/retry_rejects.h). The acknowledged are settled in the ledger; one that is refused again stays live
/// with its new reason. Runs on the calling thread, which is no loop's. Errors: needs_person (the copy is not
/// done, another plan, table made again), stopped, disk, and whatever the target answered for good.
Result<RetryResult> retry_rejects(Session& session, const plan::CopyPlan& plan, Lanes& lanes,
                                  state::Ledger& ledger);

/// Beside changes (PROTOCOL rule 7): marks the keys of the live rejects to be read again, in the spool of a
/// migration that nobody runs. For how many keys. Errors: needs_person (the source was made again), disk,
/// and whatever the source answered for good.
Result<std::uint64_t> mark_rejects(Session& session, const plan::CopyPlan& plan, OpenedState& opened);
/// The same, by the process that runs the migration in `folder`. Errors: as of ask_running(), and
/// needs_person where that process cannot.
Result<std::uint64_t> have_rejects_marked(Session& session, const std::filesystem::path& folder,
                                          const console::MigrationStatus& status);

}  // namespace messina::cli
