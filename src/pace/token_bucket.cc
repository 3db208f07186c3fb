#include "pace/token_bucket.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace messina::pace {
namespace {

/// The longest wait ever answered: beyond it a double of nanoseconds could leave Duration's range.
constexpr std::chrono::hours kLongestWait{24 * 365};

void check(double rate, double burst) {
  if (!(rate > 0) || !std::isfinite(rate))
    throw std::invalid_argument("a token bucket's rate must be over 0");
  if (!(burst >= 0) || !std::isfinite(burst))
    throw std::invalid_argument("a token bucket's burst must not be negative");
}

Duration time_for(double tokens, double rate) {
  const std::chrono::duration<double> time(std::max(0.0, tokens) / rate);
  return time < kLongestWait ? std::chrono::ceil<Duration>(time) : Duration(kLongestWait);
}

}  // namespace

TokenBucket::TokenBucket(double rate, double burst, MonoTime now)
    : rate_(rate), burst_(burst), tokens_(burst), as_of_(now) {
  check(rate, burst);
}

double TokenBucket::tokens(MonoTime now) const {
  if (now <= as_of_) return tokens_;
  const double elapsed = std::chrono::duration<double>(now - as_of_).count();
  return std::max(tokens_, std::min(burst_, tokens_ + elapsed * rate_));
}

void TokenBucket::advance(MonoTime now) {
  tokens_ = tokens(now);
  as_of_ = std::max(as_of_, now);
}

Duration TokenBucket::wait_for(MonoTime now, double amount) const {
  return time_for(amount - tokens(now), rate_);
}

Duration TokenBucket::reserve(MonoTime now, double amount) {
  advance(now);
  const Duration wait = time_for(amount - tokens_, rate_);
  tokens_ -= amount;
  return wait;
}

void TokenBucket::correct(double estimated, double actual) {
  tokens_ = std::min(std::max(tokens_, burst_), tokens_ + estimated - actual);
}

void TokenBucket::set_rate(MonoTime now, double rate) {
  check(rate, burst_);
  advance(now);
  rate_ = rate;
}

void TokenBucket::set_burst(MonoTime now, double burst) {
  check(rate_, burst);
  advance(now);
  burst_ = burst;
  tokens_ = std::min(tokens_, burst);
}

}  // namespace messina::pace
