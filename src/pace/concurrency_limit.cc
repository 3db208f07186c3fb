#include "pace/concurrency_limit.h"

#include <algorithm>

namespace messina::pace {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kGrowth = 1.25;
/// The latency of requests that were stalled says no more than this multiple of the base.
constexpr double kMostTimesBase = 10;
/// After a refusal: nothing grows for this long, and the limit that was refused is remembered.
constexpr Duration kHold = std::chrono::seconds(1);
constexpr Duration kRemember = std::chrono::seconds(60);
/// Up to this share of a refused limit growth is fast, beyond it slow.
constexpr double kFastUpTo = 0.9;
constexpr double kSlowStep = 0.02;
constexpr Duration kCutEvery = std::chrono::milliseconds(100);
/// A window is judged when it has so many answers, or after a second.
constexpr double kAnswersPerLimit = 0.5;
constexpr std::uint64_t kLeastAnswers = 10;
constexpr Duration kLongestWindow = std::chrono::seconds(1);
/// Between two measurements that a risen latency calls for.
constexpr Duration kMeasurePause = std::chrono::seconds(2);

}  // namespace

void ConcurrencyLimit::set(double limit) {
  limit_ = std::clamp(limit, static_cast<double>(bounds_.least), static_cast<double>(bounds_.most));
}

void ConcurrencyLimit::observe(MonoTime now, const Window& window) {
  if (!sum_since_) sum_since_ = now;
  sum_.answers += window.answers;
  sum_.latency += window.latency;
  sum_.saturated = sum_.saturated || window.saturated;
  const auto enough = std::max(kLeastAnswers, static_cast<std::uint64_t>(limit_ * kAnswersPerLimit));
  const bool full = sum_.answers >= enough || now - *sum_since_ >= kLongestWindow;
  if (!full || sum_.answers == 0) return;
  double latency = Seconds(sum_.latency).count() / static_cast<double>(sum_.answers);
  if (base_s_) latency = std::min(latency, *base_s_ * kMostTimesBase);
  const bool saturated = sum_.saturated;
  sum_ = {};
  sum_since_ = now;
  judge(now, latency, saturated);
}

void ConcurrencyLimit::refused(MonoTime now) {
  const auto under_way = std::chrono::duration_cast<Duration>(Seconds(2 * base_s_.value_or(0)));
  if (cut_at_ && now - *cut_at_ < std::max(kCutEvery, under_way)) return;
  cut_at_ = now;
  sum_ = {};
  sum_since_ = now;
  if (phase_ != Phase::normal) limit_ = limit_before_;
  phase_ = Phase::normal;
  refused_at_limit_ = limit_;
  set(limit_ / 2);
  why_ = "refusals";
}

void ConcurrencyLimit::grow(MonoTime now) {
  if (cut_at_ && now - *cut_at_ < kHold) return;
  if (cut_at_ && now - *cut_at_ > kRemember) refused_at_limit_.reset();
  const double fast = limit_ * kGrowth;
  if (!refused_at_limit_) {
    set(std::max(fast, limit_ + 1));
  } else {
    const double near = *refused_at_limit_ * kFastUpTo;
    const double slow = limit_ + std::max(0.25, *refused_at_limit_ * kSlowStep / 5);
    set(limit_ < near ? std::min(std::max(fast, limit_ + 1), near) : slow);
  }
  why_ = limit() >= bounds_.most ? "the most" : "growing";
}

void ConcurrencyLimit::start_measuring(MonoTime now, double latency_s) {
  limit_before_ = limit_;
  latency_before_s_ = latency_s;
  set(limit_ / 2);
  phase_ = Phase::draining;
  measured_at_ = now;
  why_ = "measuring";
}

void ConcurrencyLimit::judge(MonoTime now, double latency_s, bool saturated) {
  const double noise = Seconds(kNoise).count();
  if (phase_ == Phase::draining) {
    // These were sent, most of them, under the full limit.
    phase_ = Phase::measuring;
    return;
  }
  if (phase_ == Phase::measuring) {
    phase_ = Phase::normal;
    base_s_ = latency_s;
    limit_ = limit_before_;
    why_ = "latency";
    measure_after_ = kMeasureEvery;
    const bool queued = latency_before_s_ > kShrinkAbove * latency_s && latency_before_s_ - latency_s > noise;
    if (queued) {
      const double pipe = limit_ * latency_s / latency_before_s_;
      const double middle = (kGrowBelow + kShrinkAbove) / 2;
      set(std::max(limit_ / 2, pipe * middle));
      // Half the limit was a queue, too: the base may be lower still.
      measure_after_ = kMeasurePause;
    }
    return;
  }
  if (!base_s_) base_s_ = latency_s;
  if (!measured_at_) {
    measured_at_ = now;
    measure_after_ = kMeasurePause;
  }
  if (latency_s < *base_s_) base_s_ = (*base_s_ + latency_s) / 2;
  if (!saturated) {
    why_ = "not needed";
    return;
  }
  if (latency_s < kGrowBelow * *base_s_) {
    grow(now);
    return;
  }
  const bool high = latency_s > kShrinkAbove * *base_s_ && latency_s - *base_s_ > noise;
  const Duration since = now - *measured_at_;
  if ((high && since >= kMeasurePause) || since >= measure_after_) {
    start_measuring(now, latency_s);
    return;
  }
  if (why_ != "refusals") why_ = "latency";
}

}  // namespace messina::pace
