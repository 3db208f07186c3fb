// Where a running job puts its progress and others read it.
#pragma once
#include <mutex>

#include "base/clock.h"
#include "jobs/progress.h"

namespace messina::jobs {

/// Thread-safe. The job publishes a few times a second; the console, the ledger's snapshot, the metrics and
/// the control socket read.
class ProgressBoard {
 public:
  ProgressBoard() = default;
  /// With a clock, which outlives the board, a job that publishes no more grows idle: see snapshot().
  explicit ProgressBoard(const Clock& clock) : clock_(&clock) {}

  void publish(Progress progress) {
    const std::lock_guard lock(mutex_);
    progress_ = std::move(progress);
    if (clock_ != nullptr) published_ = clock_->now();
  }
  /// What was published last. Its idle_s counts on until the next publication, so that a job that hangs whole
  /// looks like one that settles nothing; a job that has ended, or waits for its turn, is not idle.
  Progress snapshot() const {
    const std::lock_guard lock(mutex_);
    Progress progress = progress_;
    const bool at_work = !progress.phase.empty() && progress.phase != "done" && progress.phase != "stopped" &&
                         progress.phase != "queued";
    if (clock_ != nullptr && at_work)
      progress.idle_s += std::chrono::duration<double>(clock_->now() - published_).count();
    return progress;
  }

 private:
  const Clock* clock_ = nullptr;
  mutable std::mutex mutex_;
  Progress progress_;
  MonoTime published_{};
};

}  // namespace messina::jobs
