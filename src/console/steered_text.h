// What `pause`, `resume` and `set` did to the tables of a run, for people (pure).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "console/control.h"
#include "console/events.h"

namespace messina::console {

/// A table that was told.
struct SteeredTable {
  MigrationStatus status;      ///< with the snapshot that it answered with
  std::optional<Error> error;  ///< instead: why it was not told
  bool has_ended = false;      ///< instead: there was nothing left to steer
};

/// "orders", or "orders to orders_v2": the tables' names of its addresses.
std::string table_names(const MigrationStatus& status);

/// A line a table with what is in force there now, and what it means. `run`: what all tables may take
/// together, if they are of one run.
std::string steered_text(const TablesSteered& steered, const std::vector<SteeredTable>& tables,
                         ControlRequest::Verb verb, const std::optional<RunOfTables>& run);

}  // namespace messina::console
