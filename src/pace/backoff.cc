#include "pace/backoff.h"

#include <algorithm>
#include <cmath>

namespace messina::pace {

const BackoffPolicy& backoff_for(ErrorKind kind) {
  return kind == ErrorKind::throttled ? kThrottlingBackoff : kTransientBackoff;
}

Duration backoff_delay(const BackoffPolicy& policy, std::uint32_t attempt,
                       std::optional<std::chrono::milliseconds> retry_after, Random& random) {
  using Seconds = std::chrono::duration<double>;
  const int doublings = static_cast<int>(std::clamp<std::uint32_t>(attempt, 1, 64)) - 1;
  const Seconds ceiling = std::min(Seconds(policy.base) * std::ldexp(1.0, doublings), Seconds(policy.cap));
  const auto jittered = std::chrono::duration_cast<Duration>(ceiling * random.unit());
  const Duration least = std::clamp<Duration>(retry_after.value_or(std::chrono::milliseconds(0)),
                                              Duration::zero(), kMaxRetryAfter);
  return least + jittered;
}

}  // namespace messina::pace
