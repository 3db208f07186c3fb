// Shows what another process does, until the part that was asked of it has come to its end.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "cli/session.h"
#include "console/control.h"
#include "console/events.h"
#include "jobs/roles.h"
#include "plan/plan.h"

namespace messina::cli {

struct FollowAim {
  std::filesystem::path folder;
  console::MigrationStatus holder;  ///< as it was when it was asked
  jobs::Roles roles;                ///< that were asked for
  std::uint64_t wish = 0;           ///< the number that the process gave it; 0: it did all of that already
  bool until_in_step = false;
  std::int64_t asked_unix_ms = 0;  ///< what was written at the source before is to be there
  bool was_done = false;           ///< all history was copied before
};

/// "pid 4711 on mover-1"
std::string name_of_holder(const console::MigrationStatus& status);

/// Waits a while, or until the stop.
void pause_for(Stop& stop, std::chrono::milliseconds time);

/// Publishes the holder's snapshots on the session's board, until
/// - `copy` alone: all history is copied: its summary, 0 or 1,
/// - until_in_step: the target is in step, 0 or 1; or only a person can bring it there, 4,
/// - a part that was asked for could not begin: its error's status,
/// - the holder has ended: as it ended, or 3,
/// - the session's stop: 0; the holder goes on.
ExitCode follow(Session& session, const plan::CopyPlan& plan, const FollowAim& aim);

}  // namespace messina::cli
