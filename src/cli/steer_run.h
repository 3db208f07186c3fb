// pause, resume and set for the tables of a run at once.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/session.h"
#include "console/control.h"
#include "console/events.h"
#include "plan/tables.h"

namespace messina::cli {

struct SteerAim {
  std::vector<std::filesystem::path> folders;  ///< of tables that may run
  std::optional<plan::TableChoice> choice;     ///< what was named; absent: all that their processes run
  std::string state_flag;                      ///< " --state DIR" for commands that are named, or empty
};

/// Asks the processes that run `aim.folders`, each for all its tables, and says what became of each table.
/// Where a process runs tables that were not named, the named ones are told one by one, and what all of them
/// share (`set`) is refused.
ExitCode steer_run(Session& session, const SteerAim& aim, const console::ControlRequest& request);

/// What was done to one table.
ExitCode say_steered(Session& session, const console::ControlRequest& request,
                     const console::MigrationStatus& status, const std::string& state_flag);

}  // namespace messina::cli
