// Verifying one table: in this process, or by the one that runs its migration.
#pragma once
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "console/verify_text.h"
#include "jobs/verify_desk.h"
#include "plan/plan.h"

namespace messina::cli {

/// What a flag file of keys names: one JSON object a line, with the key's attributes at least. Errors:
/// config, naming file and line.
Result<std::vector<std::string>> read_keys(const std::string& file);

/// What a migration's folder keeps of its last verification. Errors: not_found, disk, corrupt.
Result<console::VerifyOutcome> kept_verification(const std::filesystem::path& folder,
                                                 const plan::CopyPlan& plan);

/// How a verification ended that was made or asked for.
struct VerifyEnd {
  Result<void> result;
  std::chrono::milliseconds elapsed{};
  std::filesystem::path folder;
  bool left_running = false;  ///< by the process that was asked; nobody follows it any more
};
/// Runs `wish` in this process; a repair takes the target, and applies what it marks. Another process that
/// runs the migration is asked, and followed.
VerifyEnd verify_table(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                       const jobs::VerifyWish& wish);

/// Ends what a running migration verifies.
ExitCode cancel_verification(Session& session, const plan::CopyPlan& plan);

}  // namespace messina::cli
