#include "jobs/recorder.h"

#include <iterator>
#include <utility>

namespace messina::jobs {

namespace {
/// What a waiting page costs beside its cursor and rejects: a map node, counts.
constexpr std::int64_t kPageBytes = 256;
}  // namespace

Task<void> Recorder::add(SettledPage page) {
  std::int64_t bytes = kPageBytes + static_cast<std::int64_t>(page.cursor.size());
  for (const state::Reject& reject : page.rejects) {
    bytes += static_cast<std::int64_t>(reject.item.size() + reject.reason.size()) + kPageBytes;
  }
  AsyncSemaphore::Lease lease = co_await room_.acquire(bytes);
  const std::lock_guard lock(mutex_);
  state::Commit::UnitStep& step = steps_[page.unit];
  step.unit = page.unit;
  step.cursor = std::move(page.cursor);
  if (page.unit_done) step.state = state::UnitState::done;
  step.delta += page.counts;
  std::ranges::move(page.rejects, std::back_inserter(rejects_));
  waiting_.push_back(std::move(lease));
  if (page.recorded) to_tell_.push_back(std::move(page.recorded));
}

bool Recorder::empty() const {
  const std::lock_guard lock(mutex_);
  return steps_.empty();
}

void Recorder::take(state::Commit& commit) {
  const std::lock_guard lock(mutex_);
  for (auto& [unit, step] : steps_) commit.steps.push_back(std::move(step));
  steps_.clear();
  commit.rejects = std::exchange(rejects_, {});
  in_commit_ = std::exchange(waiting_, {});
  to_tell_after_commit_ = std::exchange(to_tell_, {});
}

void Recorder::committed() {
  std::vector<AsyncSemaphore::Lease> done;
  std::vector<std::function<void()>> told;
  {
    const std::lock_guard lock(mutex_);
    done.swap(in_commit_);
    told.swap(to_tell_after_commit_);
  }
  for (const std::function<void()>& tell : told) tell();
}

}  // namespace messina::jobs
