// Which unit is worked on next.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "state/job_store.h"

namespace messina::jobs {

/// Hands out the units of a job, each once. Units that a former process may have begun wait until its
/// requests are dead; those that nobody has begun are handed out at once, as far as their beginning is
/// durably reserved. Thread-safe.
class UnitQueue {
 public:
  /// Units of `job` that are pending and lie before `former_limit` are held back until `quiet_until`.
  UnitQueue(const state::JobState& job, std::uint64_t former_limit, MonoTime quiet_until);

  struct Next {
    enum class Kind : std::uint8_t { unit, wait, none } kind = Kind::none;
    std::size_t unit = 0;          ///< index into JobState::units
    MonoTime until{};              ///< ask again then
    bool for_predecessor = false;  ///< what is waited for
  };
  Next take(MonoTime now);

  /// A commit with this begun_limit is durable.
  void reserved(std::uint64_t limit);
  /// The begun_limit that the next commit should hold, so that `ahead` units can be begun without another
  /// one.
  std::uint64_t wanted_limit(std::uint64_t ahead) const;
  /// True while a former process's requests to a unit of this job may be on the wire.
  bool held_back() const;

 private:
  mutable std::mutex mutex_;
  std::deque<std::size_t> begun_;   ///< by a former process
  std::vector<std::size_t> fresh_;  ///< not begun by anybody, in the order in which they are to run
  std::size_t next_fresh_ = 0;
  std::uint64_t limit_ = 0;
  std::uint64_t units_ = 0;
  MonoTime quiet_until_;
};

}  // namespace messina::jobs
