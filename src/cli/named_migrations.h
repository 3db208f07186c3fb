// Which migrations of the state directory a command's words name: one, or many by a choice of tables. Asks no
// server, so that a run can be watched and steered while its source is away, and by somebody without its
// credentials.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "console/events.h"
#include "plan/tables.h"

namespace messina::cli {

/// True when SOURCE, --plan, --tables or --migration say which.
bool names_migrations(const Flags& flags);

struct NamedMigrations {
  std::vector<std::filesystem::path> folders;  ///< one if there is no choice; else in the choice's order
  std::optional<plan::TableChoice> choice;     ///< of --tables, or of a plan with tables
  /// Tables that the choice names in full and of which the state directory has nothing: addresses alone.
  std::vector<console::MigrationStatus> not_begun;
};

/// Patterns choose among the tables whose plans the state directory holds; names on the target are those
/// that the choice gives. Errors: not_found (no directory, none of the tables, a pattern without a match),
/// usage (as find_migration() and plan::choose_tables()).
Result<NamedMigrations> find_migrations(Session& session, Flags& flags);

/// The folders of all tables that the only running process of a state directory copies. Errors: not_found
/// (none runs), usage (several run).
Result<std::vector<std::filesystem::path>> only_running(const std::string& state_dir);

}  // namespace messina::cli
