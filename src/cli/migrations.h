// Finding migrations in the state directory and saying how they stand.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "console/events.h"
#include "plan/plan.h"
#include "state/ledger.h"

namespace messina::cli {

/// The state directory of --state, else the default.
std::string state_dir(const Flags& flags);

/// The folders of a state directory but those whose runs all failed before they planned anything.
Result<std::vector<std::filesystem::path>> begun_migrations(const std::string& dir);

/// The folder that SOURCE and TARGET, --plan or --migration name; without any of them the only one there is.
/// Errors: usage (which of several?), not_found.
Result<std::filesystem::path> find_migration(Session& session, Flags& flags);

/// Opens a migration's ledger. A damaged one is needs_person: running the same again would not cure it.
Result<std::unique_ptr<state::Ledger>> open_ledger(const std::filesystem::path& folder, state::Access access);

/// Keeps the plan, without its secrets, in the migration's folder, so that later commands need no addresses.
Result<void> remember_plan(const std::filesystem::path& folder, const plan::CopyPlan& plan);
/// The kept plan. Errors: not_found, usage (no such JSON).
Result<plan::CopyPlan> remembered_plan(const std::filesystem::path& folder);

/// Reads its ledger, beside a running job if there is one.
Result<console::MigrationStatus> read_status(const std::filesystem::path& folder);

}  // namespace messina::cli
