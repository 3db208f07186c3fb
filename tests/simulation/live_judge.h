// What a claim and an end of a live migration are held against.
#pragma once
#include <optional>
#include <set>

#include "jobs/migrate.h"
#include "live_process.h"
#include "sim_endpoints.h"
#include "world.h"

namespace messina::simulation {

/// One migration, as it stands.
struct LiveCase {
  World* world = nullptr;
  const SourceHistory* history = nullptr;
  const Disk* disk = nullptr;
  const jobs::MigrateOptions* options = nullptr;
  Duration lateness{};       ///< of the stream's records
  bool after_other = false;  ///< the target was taken from another migration
  /// The first capture epoch was in the ledger by then.
  std::optional<MonoTime> captures_since;
};

/// I8: what the target holds is not older than the claim allows, which was true at `claimed_at`.
void judge_claim(const LiveCase& of, const jobs::MigrateSummary& summary, MonoTime claimed_at);
/// I10: both sides are equal, but for live rejects, and those are of items that the source has; but for what
/// there is no leave to delete; and but for segments that are left out.
void judge_end(const LiveCase& of);

}  // namespace messina::simulation
