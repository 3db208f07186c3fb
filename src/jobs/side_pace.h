// Decides the rate of one side's budget, the reads of a source or the writes of a target: what was asked for,
// what the table bears, what others use, what was throttled.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>

#include "base/async.h"
#include "endpoints/endpoint.h"
#include "jobs/task_group.h"
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

/// Belongs to one coroutine of the loop. It outlives its looks: end() waits for them.
class SidePace {
 public:
  /// How often the table's capacity and, in the steps of CloudWatch's metrics, its use are looked at.
  static constexpr Duration kDescribeEvery = std::chrono::minutes(3);
  static constexpr Duration kConsumedEvery = std::chrono::seconds(60);
  enum class Of : std::uint8_t { reads, writes };

  /// `units`: of the table's description.
  SidePace(Loop& loop, endpoints::Endpoint& endpoint, Of of, const pace::Wish& wish,
           const pace::TableUnits& units);

  /// Asks once what the table's users consume, where that matters.
  Task<void> begin();
  /// nullopt: back to what was asked for at first.
  void set_by_hand(std::optional<double> units_per_s) { share_.set_by_hand(units_per_s); }
  /// `total`: units charged until now. `throttles`: of the table or the account, until now.
  const pace::CapacityShare::Decision& decide(double total, std::uint64_t throttles);
  /// Looks at the table beside the job when it is time.
  void look();
  /// Waits for those looks.
  Task<void> end() { return looks_.wait(); }

  const pace::CapacityShare::Decision& decision() const { return decision_; }
  std::optional<double> application() const { return share_.application(); }
  double used_per_s() const { return used_per_s_; }

 private:
  Task<void> look_at_capacity();
  Task<void> look_at_use();

  Loop& loop_;
  endpoints::Endpoint& endpoint_;
  const Of of_;
  pace::CapacityShare share_;
  pace::CapacityShare::Decision decision_;
  pace::UseHistory ours_;
  Meter meter_;
  double used_per_s_ = 0, total_ = 0;
  std::uint64_t throttles_ = 0;
  MonoTime describe_at_{}, consumed_at_{};
  bool metrics_off_ = false;  ///< not permitted, or nobody to ask: said once
  TaskGroup looks_;
};

}  // namespace messina::jobs
