// How long to wait before trying again: full jitter, exponential.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

namespace messina::pace {

/// delay = rand(0, 1) × min(base × 2^(attempt − 1), cap).
struct BackoffPolicy {
  std::chrono::milliseconds base;
  std::chrono::milliseconds cap;
};

/// The AWS SDKs' standard retry mode (facts/dynamodb.md "SDK standard retries", 2026).
inline constexpr BackoffPolicy kTransientBackoff{std::chrono::milliseconds(25), std::chrono::seconds(20)};
inline constexpr BackoffPolicy kThrottlingBackoff{std::chrono::seconds(1), std::chrono::seconds(20)};
/// The same for throttled calls of DynamoDB Streams.
inline constexpr BackoffPolicy kStreamsThrottlingBackoff{std::chrono::milliseconds(100),
                                                         std::chrono::seconds(10)};

/// kThrottlingBackoff for throttled, kTransientBackoff for everything else.
const BackoffPolicy& backoff_for(ErrorKind kind);

/// The pause after the `attempt`-th failure (from 1). A `retry_after` of the server is the least that it can
/// be, with the jitter on top, so that clients that were told the same do not come back together; it may
/// exceed the cap, but not kMaxRetryAfter.
Duration backoff_delay(const BackoffPolicy& policy, std::uint32_t attempt,
                       std::optional<std::chrono::milliseconds> retry_after, Random& random);

/// No server is believed that wants a longer pause.
inline constexpr std::chrono::minutes kMaxRetryAfter{5};

/// The failures of one piece of work, counted.
class Backoff {
 public:
  Backoff() = default;
  /// `throttling`: for throttled, in place of kThrottlingBackoff; it outlives this.
  explicit Backoff(const BackoffPolicy& throttling) : throttling_(&throttling) {}

  /// After a failure: how long to wait before the next attempt.
  Duration next(const Error& error, Random& random) {
    ++failures_;
    const bool throttled = error.kind == ErrorKind::throttled;
    const BackoffPolicy& policy = throttled ? *throttling_ : backoff_for(error.kind);
    return backoff_delay(policy, failures_, error.retry_after, random);
  }
  /// After a success, or progress (some of a batch was processed).
  void reset() { failures_ = 0; }
  std::uint32_t failures() const { return failures_; }

 private:
  const BackoffPolicy* throttling_ = &kThrottlingBackoff;
  std::uint32_t failures_ = 0;
};

}  // namespace messina::pace
