// One seed's story of a capture: writers, a stream that splits, trims and fails, processes that crash at any
// await, and an applier that takes out of the spool what is put into it. At the end the applied state of each
// key must be the source's, unless a gap was declared; and after a gap was healed, too.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "jobs/capture.h"
#include "sim_stream.h"
#include "world.h"

namespace messina::simulation {

struct CaptureResult {
  std::vector<Violation> violations;
  std::uint64_t trace_hash = 0;
  std::uint64_t steps = 0;
  std::uint32_t lives = 0, crashes = 0;
  std::uint64_t events = 0;          ///< captured, by processes that lived to tell
  std::uint64_t gaps = 0;            ///< declared
  std::uint64_t splits = 0;          ///< of shards
  std::uint64_t trimmed_unread = 0;  ///< records
  std::uint32_t heals = 0;
  bool wrong_end() const;
  std::string text() const;  ///< the violations, one a line
};

/// `anything` is what the simulation test runs; in `calm` weather no process is away for long, so that there
/// may be no gap; `rough` is where a mutation test looks: many splits, many crashes, much to catch up with.
enum class CaptureWeather : std::uint8_t { anything, calm, rough };

CaptureResult run_capture_scenario(std::uint64_t seed, const jobs::CaptureFaults& faults = {},
                                   CaptureWeather weather = CaptureWeather::anything);

}  // namespace messina::simulation
