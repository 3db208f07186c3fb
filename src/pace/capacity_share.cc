#include "pace/capacity_share.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace messina::pace {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr Duration kEaseEvery = std::chrono::seconds(1);
constexpr double kEaseFloor = 0.05;
constexpr double kLeastWarmShare = 0.02;
/// A rate counts as used up from this share of it on.
constexpr double kUsedUp = 0.8;

/// "12,345"
std::string shown(double units) {
  std::string text = fmt::format("{:.0f}", units);
  for (std::ptrdiff_t at = std::ssize(text) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string percent(double share) {
  const double value = share * 100;
  return value >= 10 ? fmt::format("{:.0f} %", value) : fmt::format("{:.1f} %", value);
}

}  // namespace

double CapacityShare::capacity() const {
  if (!units_) return default_warm_;
  if (!units_->on_demand) return units_->provisioned;
  if (units_->most) return *units_->most;
  return units_->warm.value_or(default_warm_);
}

void CapacityShare::throttled(MonoTime now) {
  if (throttled_at_ && now - *throttled_at_ < kEaseEvery) return;
  throttled_at_ = now;
  ease_ = std::max(kEaseFloor, ease_ / 2);
  warm_share_ = std::max(kLeastWarmShare, warm_share_ / 2);
  grown_at_ = now;
}

CapacityShare::Decision CapacityShare::of_warm(MonoTime now, double used_per_s) {
  const double warm = capacity();
  if (!grown_at_) grown_at_ = now;
  const bool used_up = used_per_s >= kUsedUp * warm * warm_share_ * ease_;
  if (now - *grown_at_ >= kGrowEvery) {
    grown_at_ = now;
    if (used_up) warm_share_ = std::min(kMostWarmShare, warm_share_ * kGrowth);
  }
  double rate = warm * warm_share_;
  std::string why = fmt::format("{} of the {} {}/s that the on-demand table bears{}", percent(warm_share_),
                                shown(warm), unit_, units_ && units_->warm ? "" : " at least");
  if (application_ && (warm - *application_) / 2 < rate) {
    rate = (warm - *application_) / 2;
    why = fmt::format("half of what is free: the on-demand table bears {} {}/s, the application uses {}",
                      shown(warm), unit_, shown(*application_));
  }
  return {rate, std::move(why)};
}

CapacityShare::Decision CapacityShare::half_of_free(MonoTime now, double used_per_s) {
  if (!units_) return {std::nullopt, "the server has no capacity units"};
  if (units_->on_demand && !units_->most) return of_warm(now, used_per_s);
  const double all = capacity();
  const std::string_view of = units_->on_demand ? "at most" : "provisioned";
  if (!application_)
    return {all / 4, fmt::format("a quarter of {} {}/s {}: what the application uses is not known",
                                 shown(all), unit_, of)};
  return {(all - *application_) / 2, fmt::format("half of what is free: {} {}/s {}, the application uses {}",
                                                 shown(all), unit_, of, shown(*application_))};
}

CapacityShare::Decision CapacityShare::wanted(MonoTime now, double used_per_s) {
  if (by_hand_) return {by_hand_, "set by hand"};
  switch (wish_.kind) {
    case Wish::Kind::unlimited:
      return {std::nullopt, flag_ + " unlimited"};
    case Wish::Kind::fixed:
      return {wish_.value, flag_};
    case Wish::Kind::share:
      if (!units_) return {std::nullopt, "the server has no capacity units to have a share of"};
      return {capacity() * wish_.value,
              fmt::format("{} of the table's {} {}/s", percent(wish_.value), shown(capacity()), unit_)};
    case Wish::Kind::half_of_free:
      break;
  }
  return half_of_free(now, used_per_s);
}

CapacityShare::Decision CapacityShare::decide(MonoTime now, double used_per_s) {
  if (decided_at_ && ease_ < 1 && throttled_at_ && now - *throttled_at_ >= kEaseHold)
    ease_ = std::min(1.0, ease_ + kEaseBack * Seconds(now - *decided_at_).count());
  decided_at_ = now;
  Decision decision = wanted(now, used_per_s);
  if (!decision.units_per_s) return decision;
  double& rate = *decision.units_per_s;
  const double least = units_ && !by_hand_ && wish_.kind == Wish::Kind::half_of_free
                           ? std::max(1.0, kLeastShare * capacity())
                           : std::min(1.0, rate);
  // The share of the warm throughput has taken the throttling in already.
  const bool eases_itself =
      units_ && units_->on_demand && !units_->most && !by_hand_ && wish_.kind == Wish::Kind::half_of_free;
  if (ease_ < 1 && !eases_itself) {
    rate *= ease_;
    decision.why += fmt::format("; eased to {} of it after throttling", percent(ease_));
  }
  rate = std::max(rate, least);
  return decision;
}

}  // namespace messina::pace
