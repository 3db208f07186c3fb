// When temporary credentials are renewed. Pure: clocks are handed in.
// Source: botocore's RefreshableCredentials: advisory 15 minutes before the end, mandatory at 10.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace messina::aws {

inline constexpr std::chrono::minutes kAdvisoryRenewal{15}, kMandatoryRenewal{10};
/// Credentials that live for less than an hour are renewed in the last quarter of what they have left, and
/// must be in the last sixth: the same proportions as an hour's.
inline constexpr int kAdvisoryPart = 4, kMandatoryPart = 6;

/// On this machine's monotonic clock, so that setting the wall clock changes nothing.
struct Freshness {
  MonoTime renew_from = MonoTime::max();  ///< somebody should fetch new ones, the others go on
  MonoTime renew_by = MonoTime::max();    ///< from here on everybody waits for the new ones
  MonoTime dead = MonoTime::max();        ///< AWS takes them no longer
};

/// Of credentials that came at `now` and have `left` to live; absent: for ever.
inline Freshness freshness_of(MonoTime now, std::optional<Duration> left) {
  if (!left) return {};
  // Nobody hands out credentials for a year; the bound keeps the sums in range.
  const Duration life = std::clamp<Duration>(*left, Duration::zero(), std::chrono::hours(24 * 366));
  const MonoTime dead = now + life;
  return {dead - std::min<Duration>(kAdvisoryRenewal, life / kAdvisoryPart),
          dead - std::min<Duration>(kMandatoryRenewal, life / kMandatoryPart), dead};
}

enum class Age : std::uint8_t { fresh, aging, due, dead };

inline Age age_of(const Freshness& freshness, MonoTime now) {
  if (now >= freshness.dead) return Age::dead;
  if (now >= freshness.renew_by) return Age::due;
  return now >= freshness.renew_from ? Age::aging : Age::fresh;
}

}  // namespace messina::aws
