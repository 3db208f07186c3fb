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
#include "state/ledger.h"

namespace messina::cli {

/// The state directory of --state, else the default.
std::string state_dir(const Flags& flags);

/// The folder that SOURCE and TARGET, --plan or --migration name; without any of them the only one there is.
/// Errors: usage (which of several?), not_found.
Result<std::filesystem::path> find_migration(Session& session, Flags& flags);

/// Reads its ledger, beside a running job if there is one.
Result<console::MigrationStatus> read_status(const std::filesystem::path& folder);

}  // namespace messina::cli
