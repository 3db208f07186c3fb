// How large a page to ask for, and what it will cost.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>

namespace messina::pace {

/// Read units of a page of DynamoDB's Scan, which ends at 1 MB, read consistently: 4 KB each (Developer
/// Guide, "Scanning tables" and "Capacity unit consumption"). Half of that eventually consistent.
inline constexpr double kFullPageUnits = 256;
/// The largest item has 400 KB.
inline constexpr double kLargestItemUnits = 100;

/// Learns from the pages that were read what the next one will cost. At a low rate it asks for small pages,
/// of about kPageShare of a second's budget: one page of 256 RCU would be over two seconds' worth of 100
/// RCU/s. Pure; not thread-safe.
class PageCost {
 public:
  static constexpr double kPageShare = 0.05;

  /// `consistency`: 1 for consistent reads, 0.5 for eventually consistent ones. `units_per_item` and
  /// `table_units`: what the table's description makes one expect of a consistent read of an item, and of
  /// all; both may be far off.
  PageCost(double consistency, std::optional<double> units_per_item, std::optional<double> table_units = {})
      : consistency_(consistency), full_page_(kFullPageUnits * consistency) {
    if (units_per_item && *units_per_item > 0) hint_ = *units_per_item * consistency;
    if (hint_ && table_units) table_ = *table_units * consistency;
  }

  struct Ask {
    std::uint32_t items = 0;  ///< at most; 0: as many as the server gives
    double charge = 0;        ///< units, over 0
  };
  /// `rate`: the budget in units per second; nullopt: none.
  Ask next(std::optional<double> rate) const;
  /// A page that was asked for with `asked` items at most had `items` and cost `units`.
  void learn(std::uint32_t asked, std::size_t items, double units);

 private:
  double consistency_;
  double full_page_;  // of pages without a limit
  std::optional<double> hint_, table_, per_item_;
};

}  // namespace messina::pace
