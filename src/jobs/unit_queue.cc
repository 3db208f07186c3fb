#include "jobs/unit_queue.h"

#include <algorithm>

namespace messina::jobs {

namespace {
/// How long a worker sleeps while the reservation of the next units is being written.
constexpr Duration kReservationPause = std::chrono::milliseconds(10);
}  // namespace

UnitQueue::UnitQueue(const state::JobState& job, std::uint64_t former_limit, MonoTime quiet_until)
    : limit_(job.begun_limit), units_(job.units.size()), quiet_until_(quiet_until) {
  for (std::size_t i = 0; i < job.units.size(); ++i) {
    if (job.units[i].state != state::UnitState::pending) continue;
    if (i < former_limit) {
      begun_.push_back(i);
    } else {
      fresh_.push_back(i);
    }
  }
}

UnitQueue::Next UnitQueue::take(MonoTime now) {
  using Kind = Next::Kind;
  const std::lock_guard lock(mutex_);
  if (!begun_.empty() && now >= quiet_until_) {
    const std::size_t unit = begun_.front();
    begun_.pop_front();
    return {.kind = Kind::unit, .unit = unit};
  }
  if (next_fresh_ < fresh_.size()) {
    const std::size_t unit = fresh_[next_fresh_];
    if (unit >= limit_) return {.kind = Kind::wait, .until = now + kReservationPause};
    ++next_fresh_;
    return {.kind = Kind::unit, .unit = unit};
  }
  if (begun_.empty()) return {};
  return {.kind = Kind::wait, .until = quiet_until_, .for_predecessor = true};
}

void UnitQueue::reserved(std::uint64_t limit) {
  const std::lock_guard lock(mutex_);
  limit_ = std::max(limit_, limit);
}

std::uint64_t UnitQueue::wanted_limit(std::uint64_t ahead) const {
  const std::lock_guard lock(mutex_);
  if (next_fresh_ >= fresh_.size()) return limit_;
  return std::max<std::uint64_t>(limit_, std::min<std::uint64_t>(units_, fresh_[next_fresh_] + ahead));
}

bool UnitQueue::held_back() const {
  const std::lock_guard lock(mutex_);
  return !begun_.empty();
}

}  // namespace messina::jobs
