// Decides the pace of a running copy: once a tick it looks at what was asked for, what the tables bear, what
// others use, what was throttled and what a person changed, and sets the budgets.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "jobs/copy_run.h"
#include "jobs/copy_start.h"
#include "pace/capacity_share.h"
#include "pace/use_history.h"

namespace messina::jobs {

/// Growth per second of a sum, over the last ten seconds.
class Meter {
 public:
  double add(MonoTime now, double total);

 private:
  struct Sample {
    MonoTime at;
    double total;
  };
  std::deque<Sample> samples_;
};

/// Belongs to the job's own coroutine.
class Governor {
 public:
  /// How often the tables' capacity and, in the steps of CloudWatch's metrics, their use are looked at.
  static constexpr Duration kDescribeEvery = std::chrono::minutes(3);
  static constexpr Duration kConsumedEvery = std::chrono::seconds(60);

  Governor(std::shared_ptr<CopyRun> run, const PinnedTables& tables);

  /// Before the first page: asks once what the tables' users consume, and sets the first pace.
  Task<void> begin();
  /// Sets the pace. Looks at the tables beside the job when it is time.
  void tick();
  /// Waits for those looks.
  Task<void> end() { return looks_.wait(); }

  /// Workers that should be added to each lane now, because the read budget is not used up while all wait for
  /// reads. `per_lane`: that there are.
  std::uint32_t more_workers(std::uint32_t per_lane);

  /// What was decided, and why.
  void describe(Progress& progress) const;

 private:
  /// Reads of the source, or writes of the target.
  struct Side {
    Side(bool reads_, pace::CapacityShare share_) : reads(reads_), share(std::move(share_)) {}
    bool reads;
    pace::CapacityShare share;
    pace::CapacityShare::Decision decision;
    pace::UseHistory ours;
    Meter meter;
    double used_per_s = 0, total = 0;
    std::uint64_t throttles = 0;
    MonoTime describe_at{}, consumed_at{};
    bool metrics_off = false;  ///< not permitted, or nobody to ask: said once
  };
  endpoints::Endpoint& endpoint(const Side& side) const;
  void steer();
  void decide(Side& side, MonoTime now);
  void look(Side& side, MonoTime now);
  // Coroutines of their own; `self` is outlived by nothing: end() waits for them.
  Task<void> look_at_capacity(Side* side);
  Task<void> look_at_use(Side* side);

  std::shared_ptr<CopyRun> run_;
  Loop& loop_;
  Side source_, target_;
  TaskGroup looks_;
  SteeringSettings steering_;
  std::uint64_t steered_version_ = 0;
  MonoTime grown_at_{};
};

}  // namespace messina::jobs
