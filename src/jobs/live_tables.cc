#include "jobs/live_tables.h"

namespace messina::jobs {

bool CopyTurns::ask(std::size_t index) {
  const std::lock_guard lock(mutex_);
  waiting_.insert(index);
  if (free_ == 0 || *waiting_.begin() != index) return false;
  waiting_.erase(index);
  --free_;
  return true;
}

void CopyTurns::leave(std::size_t index) {
  const std::lock_guard lock(mutex_);
  waiting_.erase(index);
}

void CopyTurns::give_back() {
  const std::lock_guard lock(mutex_);
  ++free_;
}

bool InStepTogether::report(std::size_t index, bool ready) {
  const std::lock_guard lock(mutex_);
  if (ready_.at(index) != ready) {
    ready_.at(index) = ready;
    if (ready)
      --missing_;
    else
      ++missing_;
  }
  met_ = met_ || missing_ == 0;
  return met_;
}

}  // namespace messina::jobs
