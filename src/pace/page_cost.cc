#include "pace/page_cost.h"

#include <algorithm>
#include <cmath>

namespace messina::pace {
namespace {

/// A description's average may be that far below the items that come first.
constexpr double kHintMargin = 4;
/// Follows dearer pages fast, since they are what overshoots, and cheaper ones slowly.
constexpr double kUp = 0.5, kDown = 0.2;
/// More is a full page of whatever items.
constexpr double kMostItems = 100'000;

void follow(double& value, double seen) { value += (seen - value) * (seen > value ? kUp : kDown); }

}  // namespace

PageCost::Ask PageCost::next(std::optional<double> rate) const {
  const double most = kFullPageUnits * consistency_;
  const double wanted = std::max(1.0, rate.value_or(0) * kPageShare);
  if (!rate || wanted >= most) return {.items = 0, .charge = std::min(full_page_, most)};
  const std::optional<double> cost = per_item_ ? per_item_ : hint_;
  // Nothing is known: one item tells.
  if (!cost) return {.items = 1, .charge = std::min(most, kLargestItemUnits * consistency_)};
  const double items = std::clamp(std::floor(wanted / *cost), 1.0, kMostItems);
  double expected = items * *cost;
  // No page costs more than the table.
  if (!per_item_) expected = kHintMargin * std::min(expected, table_.value_or(expected));
  return {.items = static_cast<std::uint32_t>(items), .charge = std::clamp(expected, consistency_, most)};
}

void PageCost::learn(std::uint32_t asked, std::size_t items, double units) {
  if (asked == 0) follow(full_page_, units);
  if (items == 0) return;
  const double each = units / static_cast<double>(items);
  if (per_item_) {
    follow(*per_item_, each);
  } else {
    per_item_ = each;
  }
}

}  // namespace messina::pace
