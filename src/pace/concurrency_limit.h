// How many writes should be on the wire: found by their latency and by refusals.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace messina::pace {

/// A limit on requests in flight, in the way of TCP Vegas and of Netflix's concurrency-limits: the latency of
/// requests that did not queue is the base, and the limit grows while the latency is near it. The base is
/// measured anew by running with half the limit for two windows (as BBR does to find the round-trip time),
/// now and then and whenever the latency has risen. So a target that became slower by itself is told from a
/// queue that we made, and no drift builds up.
///  - latency under kGrowBelow × base: a quarter more;
///  - up to kShrinkAbove × base: as it is, which keeps a queue of half the pipe or so;
///  - over it: measure; what is over was our queue, and the limit is cut to what the pipe holds and half
///  more;
///  - a refusal (throttling, shedding): half, at once; those that were under way by then do not count.
///  Growing
///    back it comes near the old limit fast and then by small steps.
/// Pure; not thread-safe. Call observe() a few times a second.
class ConcurrencyLimit {
 public:
  struct Bounds {
    std::uint32_t least = 4, most = 256, start = 32;
  };
  static constexpr double kGrowBelow = 1.3, kShrinkAbove = 1.8;
  /// Differences under this are noise of networks and schedulers, never a queue worth fighting.
  static constexpr Duration kNoise = std::chrono::milliseconds(5);
  static constexpr Duration kMeasureEvery = std::chrono::seconds(30);

  explicit ConcurrencyLimit(Bounds bounds) : bounds_(bounds), limit_(bounds.start) {}

  /// What happened since the last call.
  struct Window {
    std::uint64_t answers = 0;  ///< requests that were executed
    Duration latency{};         ///< the sum of theirs
    bool saturated = false;     ///< somebody waited for a permit: the limit was what held
  };
  void observe(MonoTime now, const Window& window);
  /// A request was refused because there were too many.
  void refused(MonoTime now);

  std::uint32_t limit() const { return static_cast<std::uint32_t>(limit_); }
  /// "growing", "latency", "refusals", "measuring", "not needed": what moved or holds it.
  std::string_view why() const { return why_; }

 private:
  enum class Phase : std::uint8_t { normal, draining, measuring };
  void judge(MonoTime now, double latency_s, bool saturated);
  void grow(MonoTime now);
  void start_measuring(MonoTime now, double latency_s);
  void set(double limit);

  Bounds bounds_;
  double limit_;
  Window sum_;
  std::optional<MonoTime> sum_since_, cut_at_, measured_at_;
  std::optional<double> base_s_;
  std::optional<double> refused_at_limit_;
  Duration measure_after_{};  // since measured_at_
  Phase phase_ = Phase::normal;
  double limit_before_ = 0, latency_before_s_ = 0;
  std::string_view why_ = "growing";
};

}  // namespace messina::pace
