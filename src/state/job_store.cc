#include "state/job_store.h"

#include <algorithm>
#include <utility>

namespace messina::state {

Counts& Counts::operator+=(const Counts& other) {
  pages += other.pages;
  read_items += other.read_items;
  read_bytes += other.read_bytes;
  written_items += other.written_items;
  rejected_items += other.rejected_items;
  rcu += other.rcu;
  wcu += other.wcu;
  return *this;
}

bool skips_units(const JobState& job) {
  return std::ranges::find(job.units, UnitState::skipped, &UnitRecord::state) != job.units.end();
}

std::vector<Reject> kept_by_begin(const JobState& fresh, std::vector<Reject> former) {
  const bool skips = skips_units(fresh);
  std::erase_if(former, [&](const Reject& reject) { return !skips || !reject.unit.empty() || !reject.live; });
  return former;
}

void apply(JobState& state, const Commit& step) {
  for (const Commit::UnitStep& unit_step : step.steps) {
    UnitRecord& unit = state.units.at(unit_step.unit);
    unit.cursor = unit_step.cursor;
    unit.state = unit_step.state;
    unit.counts += unit_step.delta;
  }
  state.live_rejects += static_cast<std::uint64_t>(std::ranges::count(step.rejects, true, &Reject::live));
  if (step.begun_limit) state.begun_limit = *step.begun_limit;
  if (step.phase) state.phase = *step.phase;
  state.heartbeat_unix_ms = step.clean_end ? std::nullopt : std::optional(step.heartbeat_unix_ms);
  if (!step.snapshot_json.empty()) state.snapshot_json = step.snapshot_json;
  if (step.spool) state.spool = step.spool;
  if (step.live) {
    const std::uint64_t of_units = state.live.history_epoch;
    state.live = *step.live;
    state.live.history_epoch = of_units;
  }
}

void apply(JobState& state, std::vector<Reject>& rejects, const Commit& step) {
  for (Reject& reject : rejects) {
    if (!reject.live || reject.key.empty() || std::ranges::count(step.settled_keys, reject.key) == 0)
      continue;
    reject.live = false;
    reject.key.clear();
    --state.live_rejects;
    const auto unit = std::ranges::find(state.units, reject.unit, &UnitRecord::id);
    if (unit == state.units.end()) continue;
    --unit->counts.rejected_items;
    ++unit->counts.written_items;
  }
  apply(state, step);
  for (Reject reject : step.rejects) {
    if (!reject.live) reject.key.clear();
    rejects.push_back(std::move(reject));
  }
}

}  // namespace messina::state
