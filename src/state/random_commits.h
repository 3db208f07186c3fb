// For tests: random jobs and commits, and what the ledger should hold after them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "state/job_store.h"

namespace messina::state::testing {

/// Any bytes, NUL and invalid UTF-8 included.
inline std::string random_bytes(Random& random, std::size_t max_size) {
  std::string bytes(random.below(max_size + 1), '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  return bytes;
}

inline Counts random_counts(Random& random) {
  return {random.below(3),   random.below(1000), random.below(1 << 20), random.below(1000),
          random.below(100), random.unit() * 99, random.unit() / 3};
}

inline JobState random_job(Random& random, std::size_t max_units) {
  JobState job;
  job.identity = {random_bytes(random, 30), "alternator://host:8000/orders", "id-1", random_bytes(random, 5),
                  ""};
  job.begun_limit = random.below(5);
  if (random.chance(0.5)) job.heartbeat_unix_ms = static_cast<std::int64_t>(random.below(1'000'000));
  if (random.chance(0.5)) job.source_ttl_attribute = "expires";
  job.created_unix_ms = 1'700'000'000'000;
  const std::size_t units = random.below(max_units + 1);
  for (std::size_t i = 0; i < units; ++i) {
    job.units.push_back({"segment-" + std::to_string(i), random_bytes(random, 40),
                         static_cast<UnitState>(random.below(3)), random_bytes(random, 20),
                         random_counts(random)});
  }
  return job;
}

/// `max_item`: bytes of a reject; over 4,000 it takes more than a page of the file.
inline Commit random_commit(Random& random, const JobState& job, std::size_t max_item) {
  Commit commit;
  const std::size_t units = job.units.size();
  for (std::size_t n = units == 0 ? 0 : random.below(6); n > 0; --n) {
    commit.steps.push_back({random.below(units), random_bytes(random, 60),
                            static_cast<UnitState>(random.below(3)), random_counts(random)});
  }
  const auto random_key = [&random] { return std::string(1, static_cast<char>(random.below(8))); };
  for (std::size_t n = units == 0 || random.chance(0.6) ? 0 : random.below(4); n > 0; --n) {
    const std::string unit = random.chance(0.3) ? std::string() : job.units[random.below(units)].id;
    commit.rejects.push_back({0, unit, "too large", "ValidationException", random_bytes(random, max_item),
                              static_cast<std::int64_t>(random.below(1 << 30)), random.chance(0.8),
                              random.chance(0.7) ? random_key() : std::string()});
  }
  if (random.chance(0.3)) commit.settled_keys.push_back(random_key());
  if (random.chance(0.3)) commit.begun_limit = random.next();
  if (random.chance(0.2)) commit.phase = static_cast<JobPhase>(random.below(3));
  commit.heartbeat_unix_ms = static_cast<std::int64_t>(random.below(1ull << 40));
  commit.clean_end = random.chance(0.1);
  if (random.chance(0.5)) commit.snapshot_json = random_bytes(random, 2000);
  if (random.chance(0.2)) {
    LiveRecord& live = commit.live.emplace(LiveRecord{});
    live.authority = {"owner", random.below(5)};
    live.capture_epoch = random.below(5);
    live.backward = static_cast<BackwardPass>(random.below(4));
    if (random.chance(0.5)) live.gaps.push_back({"position_too_old", "shard-1", 5, 7});
  }
  if (random.chance(0.2)) commit.spool = SpoolStamp{random_bytes(random, 5), random.below(1u << 30)};
  return commit;
}

/// Everything that a ledger holds.
struct Contents {
  std::optional<JobState> job;
  std::vector<Reject> rejects;  ///< their ids are 0: they are the store's affair
  bool operator==(const Contents&) const = default;

  void begin(const JobState& fresh) {
    const JobState former = job.value_or(JobState());
    *this = {fresh, kept_by_begin(fresh, rejects)};
    job->live_rejects = rejects.size();
    job->live = former.live;
    job->live.history_epoch = fresh.live.history_epoch;
    job->spool = former.spool;
  }
  void commit(const Commit& step) { apply(*job, rejects, step); }
};

}  // namespace messina::state::testing
