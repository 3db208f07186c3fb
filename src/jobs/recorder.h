// Collects what the workers have finished, for the next commit.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/async.h"
#include "state/job_store.h"

namespace messina::jobs {

/// Pages that are settled (every record acknowledged or rejected) wait here until the job's one committing
/// coroutine takes them: several pages of a unit become one step to the newest position, with the sum of
/// their counts. What may wait is bounded in bytes. Thread-safe.
class Recorder {
 public:
  /// Bytes of settled pages' positions and rejects that may wait for a commit.
  static constexpr std::int64_t kMaxWaitingBytes = 8 << 20;

  struct SettledPage {
    std::size_t unit = 0;
    std::string cursor;  ///< the position behind the page
    bool unit_done = false;
    state::Counts counts;
    std::vector<state::Reject> rejects;
    std::function<void()> recorded;  ///< called once it is durable; may be empty
  };

  /// Waits for room, not for the commit. Pages of one unit are given in their order.
  Task<void> add(SettledPage page);
  bool empty() const;
  /// Moves what waits into `commit`: positions and, beside them, the rejects that they pass.
  void take(state::Commit& commit);
  /// What was taken is durable: makes room.
  void committed();
  /// No commit will follow: nobody waits for room from now on.
  void close() { room_.set_capacity(INT64_MAX / 2); }

 private:
  AsyncSemaphore room_{kMaxWaitingBytes};
  mutable std::mutex mutex_;
  std::map<std::size_t, state::Commit::UnitStep> steps_;
  std::vector<state::Reject> rejects_;
  std::vector<AsyncSemaphore::Lease> waiting_, in_commit_;
  std::vector<std::function<void()>> to_tell_, to_tell_after_commit_;
};

}  // namespace messina::jobs
