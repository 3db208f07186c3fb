#include "pace/unit_budget.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace messina::pace {
namespace {

using Seconds = std::chrono::duration<double>;

/// Naps are at most a quarter of the wait, so that a new rate is not slept through, within these bounds.
constexpr Duration kShortNap = std::chrono::milliseconds(50);
constexpr Duration kLongNap = std::chrono::seconds(1);
constexpr Duration kLeastNap = std::chrono::microseconds(200);

Duration nap_for(double missing, double rate) {
  const Seconds wait(std::max(0.0, missing) / rate);
  if (wait > Seconds(4 * kLongNap)) return kLongNap;
  const Duration whole = std::chrono::ceil<Duration>(wait);
  return std::max(kLeastNap, std::min(whole, std::max(kShortNap, whole / 4)));
}

}  // namespace

double UnitBudget::most_saved() const {
  double largest = 0;
  for (const Waiting& waiting : line_) largest = std::max(largest, waiting.amount);
  return rate_.value_or(0) * Seconds(kBurst).count() + largest;
}

void UnitBudget::advance(MonoTime now) {
  if (now <= as_of_) return;
  const double elapsed = Seconds(now - as_of_).count();
  as_of_ = now;
  if (rate_) saved_ = std::min(most_saved(), saved_ + elapsed * *rate_);
}

void UnitBudget::charge(MonoTime now, double amount) {
  advance(now);
  total_ += amount;
  if (rate_) saved_ -= amount;
}

UnitBudget::Turn UnitBudget::take(MonoTime now, Place& place, double amount) {
  advance(now);
  if (!rate_) {
    leave(place);
    charge(now, amount);
    return {.granted = true};
  }
  double ahead = 0;
  auto mine = line_.begin();
  for (; mine != line_.end() && mine->place != place; ++mine) ahead += mine->amount;
  const bool newcomer = place == kNoPlace || mine == line_.end();
  if (saved_ >= amount + ahead) {
    if (!newcomer) line_.erase(mine);
    place = kNoPlace;
    charge(now, amount);
    return {.granted = true};
  }
  if (newcomer) {
    place = next_place_++;
    line_.push_back({place, amount});
  } else {
    mine->amount = amount;
  }
  return {.nap = nap_for(ahead + amount - saved_, *rate_)};
}

void UnitBudget::leave(Place& place) {
  if (place == kNoPlace) return;
  std::erase_if(line_, [&](const Waiting& waiting) { return waiting.place == place; });
  place = kNoPlace;
}

void UnitBudget::settle(MonoTime now, double charged, double actual) {
  advance(now);
  total_ += actual - charged;
  // What is given back does not pile up beyond the burst: at the start, when a page is charged as the dearest
  // there is, many would go at once.
  if (rate_) saved_ = std::min(std::max(saved_, *rate_ * Seconds(kBurst).count()), saved_ + charged - actual);
}

void UnitBudget::set_rate(MonoTime now, std::optional<double> rate) {
  if (rate && !(*rate > 0 && std::isfinite(*rate)))
    throw std::invalid_argument("a budget's rate must be over 0");
  advance(now);
  const bool was_limited = rate_.has_value();
  rate_ = rate;
  // Without a limit nothing is saved up or owed.
  saved_ = rate_ && was_limited ? std::min(saved_, most_saved()) : 0;
}

}  // namespace messina::pace
