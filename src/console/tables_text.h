// A run over many tables: its progress and its end, for people and as JSON events (pure).
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "jobs/table_runs.h"
#include "jobs/tables_progress.h"

namespace messina::console {

/// As terminal_line() and plain_line() do for one table: tables done of all, sums, and the largest that runs.
std::string tables_terminal_line(const jobs::TablesProgress& progress, std::size_t width);
std::string tables_plain_line(const jobs::TablesProgress& progress);

/// A progress event for each table that runs, and one for all; a line each, with their ends.
std::string tables_progress_events(WallTime time, const jobs::TablesProgress& progress);
/// The whole snapshot as one object, for --listen's /status: the fields of the event for all, `progress` of
/// each table that runs, `ended` as in tables_event(), and the names of those `waiting`.
std::string tables_status_event(WallTime time, const jobs::TablesProgress& progress);

/// How a run over many tables ended.
struct TablesOutcome {
  std::string job;  ///< "copy", "migrate" or "schema"
  std::vector<jobs::TableOutcome> tables;
  double elapsed_s = 0;
  std::string state_flag = {};  ///< as of Outcome
};
/// A line a table, then what failed and why.
std::string tables_text(const TablesOutcome& outcome);
std::string tables_event(WallTime time, const TablesOutcome& outcome);

}  // namespace messina::console
