// Whether and when to try again: the one place that decides it, for everything a job asks of an endpoint.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "base/async.h"
#include "base/error.h"
#include "base/random.h"
#include "pace/backoff.h"
#include "state/spool_store.h"

namespace messina::jobs {

/// Answers in a row that are no answers (ErrorKind::corrupt) before a read gives up: a broken middlebox is
/// for a person.
inline constexpr std::uint32_t kMaxCorrupt = 5;

/// The attempts at one request that changes nothing (a read, a description). What a repetition may cure is
/// repeated without bound, since a migration outlives outages; a stop ends it, and the status says what is
/// waited for.
class Retry {
 public:
  Retry() = default;
  /// `throttling`: what throttled requests are spaced by; it outlives this.
  explicit Retry(const pace::BackoffPolicy& throttling) : backoff_(throttling) {}

  /// True if the request should be made again after `pause`.
  bool again(const Error& error, Random& random, Duration& pause) {
    corrupt_ = error.kind == ErrorKind::corrupt ? corrupt_ + 1 : 0;
    // A read whose outcome is unknown was a read all the same.
    const bool curable = error.retryable() || error.kind == ErrorKind::unknown_outcome;
    if (!curable || corrupt_ >= kMaxCorrupt) return false;
    pause = backoff_.next(error, random);
    return true;
  }
  std::uint32_t failures() const { return backoff_.failures(); }

 private:
  pace::Backoff backoff_;
  std::uint32_t corrupt_ = 0;
};

/// A put that the spool had no room for is made again after this; nullopt: it has failed for good. A full
/// disk is for a person, who has as long as it takes; a full queue is shorter in a moment.
inline std::optional<Duration> put_again_after(const Error& error) {
  if (state::is_spool_full(error)) return std::chrono::seconds(1);
  if (error.kind == ErrorKind::busy) return std::chrono::milliseconds(20);
  return std::nullopt;
}

/// How long somebody asks for one answer.
struct Patience {
  std::uint32_t attempts;  ///< at most; 0: without bound
  Duration longest;        ///< no attempt begins later than this after the first
};
/// Of a job that has begun: it outlives an outage.
inline constexpr Patience kOutlastOutages{0, Duration::max()};
/// Of whoever asks and ends, and of a job that starts: somebody waits to hear that nobody answers. What timed
/// out once has taken long enough.
inline constexpr Patience kAskAndEnd{3, std::chrono::seconds(4)};

/// Makes `attempt` (a callable that returns Task<Result<T>>) until it answers for good, the patience is at
/// its end (then the last answer stands), or a stop is requested (then: stopped).
template <class T, class Attempt>
Task<Result<T>> with_retries(Loop& loop, Stop* stop, Random& random, Attempt attempt,
                             Patience patience = kOutlastOutages) {
  const MonoTime began = loop.now();
  Retry retry;
  for (;;) {
    Task<Result<T>> task = attempt();
    Result<T> answer = co_await std::move(task);
    if (answer) co_return answer;
    Duration pause{};
    if (!retry.again(answer.error(), random, pause)) co_return answer;
    const bool enough = patience.attempts != 0 && retry.failures() >= patience.attempts;
    if (enough || loop.now() - began + pause > patience.longest) co_return answer;
    co_await loop.sleep_for(pause, stop);
    if (stop != nullptr && stop->requested()) {
      co_return fail(ErrorKind::stopped, "stopped while waiting to try again: " + answer.error().message,
                     answer.error().code);
    }
  }
}

}  // namespace messina::jobs
