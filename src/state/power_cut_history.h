// For tests: what a power cut may leave of a file whose calls were noted.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace messina::state::testing {

/// What is known of a file over the time of one disk: its contents after each call, and when each call began
/// and was acknowledged, in operations of the disk.
template <class Contents>
struct History {
  struct Step {
    Contents after;
    std::size_t begun_at = 0;
    std::optional<std::size_t> acknowledged_at;
  };
  std::vector<Step> steps;

  explicit History(Contents at_start) { steps.push_back({std::move(at_start), 0, 0}); }
  const Contents& newest() const { return steps.back().after; }

  /// The steps that a cut after `operations` may have left as the last one.
  std::pair<std::size_t, std::size_t> possible(std::size_t operations) const {
    std::size_t least = 0, most = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].acknowledged_at && *steps[i].acknowledged_at <= operations) least = i;
      if (steps[i].begun_at <= operations) most = i;
    }
    return {least, most};
  }

  /// nullopt if `found` is what a cut after `operations` may leave; else what is wrong.
  std::optional<std::string> complaint(const Result<Contents>& found, std::size_t operations) const {
    if (!found) return found.error().message;
    const auto [least, most] = possible(operations);
    for (std::size_t i = least; i <= most; ++i) {
      if (steps[i].after == *found) return std::nullopt;
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].after == *found) {
        return "step " + std::to_string(i) + " was found, not " + std::to_string(least) + " to " +
               std::to_string(most);
      }
    }
    return "a state that never was";
  }
};

}  // namespace messina::state::testing
