// One snapshot of a run over many tables, made of its tables' snapshots (pure). The terminal line, the JSON
// events, /status, the metrics and the health are drawn from it.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/progress.h"
#include "jobs/table_outcome.h"

namespace messina::jobs {

/// One of the tables that were begun.
struct TableProgress {
  std::string source_address, target_address;  ///< canonical
  Progress progress;                           ///< its last one, if it has ended
};

struct EndedTable {
  TableProgress last;
  TableOutcome outcome;
};

struct TablesProgress {
  std::uint64_t tables = 0, tables_done = 0;  ///< done: with or without rejects, and those done before
  std::uint64_t tables_failed = 0;            ///< failed or stopped
  std::vector<TableProgress> running;         ///< the largest first; those that are prepared, too
  std::vector<std::shared_ptr<const EndedTable>> ended;  ///< in the order in which they began
  std::vector<std::string>
      waiting;            ///< source tables that were not begun, in the order in which they will be
  state::Counts counts;   ///< of all tables that were begun
  double share_done = 0;  ///< 0..1: by their sizes where they are known, else by tables
  double items_per_s = 0, bytes_per_s = 0, rcu_per_s = 0;  ///< over the last 10 s
  std::optional<double> eta_s;
  double elapsed_s = 0;
  /// Limits of all tables together (jobs/shared_budgets.h).
  std::optional<double> read_budget_rcu_per_s;  ///< absent: no limit
  std::uint64_t write_concurrency = 0;
};

/// What a table weighs in the share that is done: its bytes, if all tables' are known.
std::vector<double> table_weights(const std::vector<std::optional<std::uint64_t>>& sizes);

}  // namespace messina::jobs
