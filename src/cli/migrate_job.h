// What a live migration of one table and of many have in common.
#pragma once
#include <optional>

#include "base/error.h"
#include "cli/flags.h"
#include "console/events.h"
#include "jobs/migrate.h"
#include "plan/plan.h"

namespace messina::cli {

jobs::MigrateOptions migrate_options(const plan::CopyPlan& plan, const LiveFlags& flags, std::size_t loops,
                                     const jobs::Roles& roles);

/// What cannot be in a live migration. Error: usage.
Result<void> check_live(const plan::CopyPlan& plan);

/// `until_in_step`: a stop before that is no end.
ExitCode exit_of(const jobs::MigrateSummary& summary, bool until_in_step);

console::MigrateOutcome outcome_of(const plan::CopyPlan& plan, const jobs::MigrateSummary& summary,
                                   bool until_in_step);

}  // namespace messina::cli
