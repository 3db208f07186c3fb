// Decides the pace of a running copy: once a tick it looks at what was asked for, what the tables bear, what
// others use, what was throttled and what a person changed, and sets the budgets.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "jobs/copy_run.h"
#include "jobs/copy_start.h"
#include "jobs/side_pace.h"

namespace messina::jobs {

/// Belongs to the job's own coroutine.
class Governor {
 public:
  Governor(std::shared_ptr<CopyRun> run, const PinnedTables& tables);

  /// Before the first page: asks once what the tables' users consume, and sets the first pace.
  Task<void> begin();
  /// Sets the pace. Looks at the tables beside the job when it is time.
  void tick();
  /// Waits for those looks.
  Task<void> end();

  /// Workers that should be added to each lane now, because the read budget is not used up while all wait for
  /// reads. `per_lane`: that there are.
  std::uint32_t more_workers(std::uint32_t per_lane);

  /// What was decided, and why.
  void describe(Progress& progress) const;

 private:
  void steer();

  std::shared_ptr<CopyRun> run_;
  Loop& loop_;
  SidePace source_, target_;
  SteeringSettings steering_;
  std::uint64_t steered_version_ = 0;
  MonoTime grown_at_{};
};

}  // namespace messina::jobs
