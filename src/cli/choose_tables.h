// Which tables a run is over: asks the source.
#pragma once
#include <vector>

#include "base/error.h"
#include "cli/lanes.h"
#include "cli/session.h"
#include "jobs/table_runs.h"
#include "plan/draft.h"

namespace messina::cli {

struct TablesToRun {
  std::vector<plan::CopyPlan> plans;  ///< in the order in which they begin
  std::vector<jobs::TableRuns::Table> tables;
};

/// Lists the source's tables if there are patterns, and chooses of them. Errors: of plan::choose_tables(),
/// and what the source answers to the listing.
Result<std::vector<plan::ChosenTable>> chosen_tables(Session& session, const plan::ManyTables& many,
                                                     Sides& sides);

/// Chooses the tables, and asks for their sizes if the biggest goes first.
/// Errors: of chosen_tables() and check_addresses(), and what the source answers to all questions alike.
Result<TablesToRun> choose(Session& session, const plan::ManyTables& many, Sides& sides);

}  // namespace messina::cli
