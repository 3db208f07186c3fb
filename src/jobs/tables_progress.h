// Where a run over many tables stands; drawn from the snapshots of those that run (pure).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "jobs/progress.h"

namespace messina::jobs {

struct TablesProgress {
  std::uint64_t tables = 0, tables_done = 0;  ///< done: with or without rejects, and those done before
  std::uint64_t tables_failed = 0;            ///< failed or stopped
  std::vector<Progress> running;              ///< the largest first
  state::Counts counts;                       ///< of all tables that were begun
  double share_done = 0;                      ///< 0..1: by their sizes where they are known, else by tables
  double items_per_s = 0, bytes_per_s = 0, rcu_per_s = 0;  ///< over the last 10 s
  std::optional<double> eta_s;
  double elapsed_s = 0;
};

/// What a table weighs in the share that is done: its bytes, if all tables' are known.
std::vector<double> table_weights(const std::vector<std::optional<std::uint64_t>>& sizes);

}  // namespace messina::jobs
