// One line of text made of fields, of which the less important ones go first when it is too long; private to
// this room.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "console/numbers.h"

namespace messina::console {

/// Those with the highest rank are left out first; rank 0 never.
struct LinePart {
  int rank;
  std::string text;
};

/// As of terminal_line().
std::string fitted_line(std::vector<LinePart> parts, std::size_t width);
std::string whole_line(const std::vector<LinePart>& parts);

/// Items, bytes, speeds, ETA and rejects: the same of one table (jobs::Progress) and of many
/// (jobs::TablesProgress).
template <class Snapshot>
void add_volume_and_speed(const Snapshot& progress, std::vector<LinePart>& parts) {
  parts.push_back({3, counted(progress.counts.read_items, "item")});
  parts.push_back({5, bytes(static_cast<double>(progress.counts.read_bytes))});
  parts.push_back({1, rate(progress.items_per_s) + " items/s"});
  parts.push_back({6, rate(progress.rcu_per_s) + " RCU/s"});
  if (progress.eta_s) parts.push_back({2, "ETA " + duration(*progress.eta_s)});
  if (progress.counts.rejected_items > 0)
    parts.push_back({2, grouped(progress.counts.rejected_items) + " rejected"});
}

}  // namespace messina::console
