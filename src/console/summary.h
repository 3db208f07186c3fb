// What a job did, in the end, for people.
#pragma once
#include <string>

#include "base/error.h"
#include "console/events.h"
#include "jobs/copy.h"
#include "jobs/schema.h"
#include "jobs/selftest.h"

namespace messina::console {

/// read = written + rejected. Anything else is a bug of ours (ErrorKind::internal), said with the numbers.
Result<void> check_counts(const state::Counts& counts);

/// Several lines, each with its end.
std::string summary_text(const Outcome& outcome);

/// The same of a live migration: what was copied and what was followed, and whether it is in step.
std::string migrate_summary_text(const MigrateOutcome& outcome);

/// `table "orders" made on the target` and what differs, one line each.
std::string schema_text(const jobs::SchemaReport& report);

/// `FAIL  items of all types come back equal: …`, with its end.
std::string selftest_text(const jobs::SelftestCheck& check);

/// The limits of all tables of a run: "4,000 RCU/s read, 256 writes at once".
std::string together_text(const RunOfTables& run);

/// One migration as `status` shows it, several lines.
std::string migration_text(const MigrationStatus& status);

}  // namespace messina::console
