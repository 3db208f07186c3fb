// One snapshot of a job's progress; the terminal line, the JSON events, `status` and later the metrics are
// drawn from it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "state/job_store.h"

namespace messina::jobs {

struct Progress {
  std::string job = "copy";
  std::string phase;     ///< preparing, waiting, copying, finishing, done, stopped
  state::Counts counts;  ///< of the whole job, former runs included
  std::uint64_t units = 0, units_done = 0, units_skipped = 0;
  std::optional<std::uint64_t> expected_items, expected_bytes;  ///< from the source's description; hours old
  double share_done = 0;  ///< 0..1: by items where an expectation is known, else by units
  double items_per_s = 0, bytes_per_s = 0, rcu_per_s = 0;  ///< over the last 10 s
  std::optional<double> eta_s;
  std::string holder;         ///< what holds the speed: pace/speed_holder.h's names
  std::string holder_detail;  ///< e.g. "segment 17/64" or what a server last complained of; empty as a rule
  std::uint64_t unknown_outcomes = 0;  ///< batches that wait to be written again (PROTOCOL rule 1)
  std::uint64_t retries = 0, throttles = 0;
  std::uint64_t memory_bytes = 0;  ///< of the budget, in use
  double elapsed_s = 0;            ///< of this run
};

}  // namespace messina::jobs
