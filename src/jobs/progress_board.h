// Where a running job puts its progress and others read it.
#pragma once
#include <mutex>

#include "jobs/progress.h"

namespace messina::jobs {

/// Thread-safe. The job publishes a few times a second; the console, the ledger's snapshot and later the
/// metrics read.
class ProgressBoard {
 public:
  void publish(Progress progress) {
    const std::lock_guard lock(mutex_);
    progress_ = std::move(progress);
  }
  Progress snapshot() const {
    const std::lock_guard lock(mutex_);
    return progress_;
  }

 private:
  mutable std::mutex mutex_;
  Progress progress_;
};

}  // namespace messina::jobs
