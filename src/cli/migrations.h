// Finding migrations in the state directory and saying how they stand.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "console/control.h"
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

/// The folder of a plan's migration. Errors: not_found.
Result<std::filesystem::path> folder_of(const plan::CopyPlan& plan);

/// Opens a migration's ledger. A damaged one is needs_person: running the same again would not cure it.
Result<std::unique_ptr<state::Ledger>> open_ledger(const std::filesystem::path& folder, state::Access access);

/// Keeps the plan, without its secrets, in the migration's folder, so that later commands need no addresses.
Result<void> remember_plan(const std::filesystem::path& folder, const plan::CopyPlan& plan);
/// The kept plan. Errors: not_found, usage (no such JSON).
Result<plan::CopyPlan> remembered_plan(const std::filesystem::path& folder);

/// What to say to somebody who wants to steer it.
Error not_running(const console::MigrationStatus& status);

/// Keeps how a run ended, for `status`; a run that begins, or ended well, forgets it (nullopt). The caller
/// holds the migration's lock. Only a help: what cannot be kept is not.
void remember_end(const std::filesystem::path& folder, const std::optional<console::LastEnd>& end);

/// Reads its ledger, beside a running job if there is one.
Result<console::MigrationStatus> read_status(const std::filesystem::path& folder);
/// The same, and asks the running process for its own snapshot. Where it gives no answer, the ledger's has
/// been idle for as long as nothing was committed.
Result<console::MigrationStatus> read_live_status(const std::filesystem::path& folder, const Clock& clock);

/// Whether an error left a place to go on from. A ledger that cannot be read now has one if it was there
/// before.
Left left_in(const std::filesystem::path& folder, bool was_there);

/// Whether the process that runs it does so on this host: elsewhere it cannot be asked.
bool runs_here(const console::MigrationStatus& status);

/// Sends a request to the process that runs it (`status.running`). Errors: usage (refused), not_found (runs
/// on another host, or takes no commands), denied (another user's), stopped (gives no answer).
Result<console::ControlAnswer> ask_running(const std::filesystem::path& folder,
                                           const console::MigrationStatus& status,
                                           const console::ControlRequest& request);

}  // namespace messina::cli
