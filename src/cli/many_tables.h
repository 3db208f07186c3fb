// copy and schema over many tables of a source: each is a migration of its own.
#pragma once
#include <functional>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "jobs/migrate.h"
#include "plan/draft.h"

namespace messina::cli {

/// How many of so many tables have their state open at once, those that are prepared ahead included.
std::size_t tables_at_once(std::size_t tables, std::uint32_t parallel);

/// Chooses the tables, runs them beside each other and says what became of each. One that fails does not stop
/// the others. Returns the worst of their exit codes (jobs/table_outcome.h). `flags`: --listen and what goes
/// with it.
ExitCode copy_many(Session& session, const plan::ManyTables& many, const Flags& flags);
/// Live: all tables are captured from the start, copied in turns, and followed together.
ExitCode migrate_many(Session& session, const plan::ManyTables& many, const Flags& flags,
                      const jobs::Roles& roles);
ExitCode make_many(Session& session, const plan::ManyTables& many);

/// Calls `each` with every table's plan, in their order, until one does not end with `done`.
ExitCode for_each_table(Session& session, const plan::ManyTables& many,
                        const std::function<ExitCode(const plan::CopyPlan&)>& each);

}  // namespace messina::cli
