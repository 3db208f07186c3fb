// What `messina check` found, for people and as events.
#pragma once
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "jobs/estimate.h"
#include "jobs/findings.h"

namespace messina::console {

struct CheckReport {
  std::string source, target;  ///< canonical addresses
  std::vector<jobs::Finding> findings;
  jobs::Estimate estimate;
  std::vector<std::string> made;  ///< on the target, by the copy

  std::size_t count(jobs::Finding::Level level) const;
  ExitCode exit() const {
    return count(jobs::Finding::Level::stop) > 0 ? ExitCode::wrong_usage : ExitCode::done;
  }
};

/// All of it, many lines. Calls that were allowed share a line.
std::string check_text(const CheckReport& report);

std::string finding_event(WallTime time, const jobs::Finding& finding);
/// The summary, after the findings.
std::string check_event(WallTime time, const CheckReport& report);

}  // namespace messina::console
