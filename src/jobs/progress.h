// One snapshot of a job's progress; the terminal line, the JSON events, `status`, the metrics and the health
// are drawn from it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "state/job_store.h"

namespace messina::jobs {

/// A setting that a person changed on the running job (jobs/steering.h).
struct SteeringNote {
  std::string setting, value, by;
  std::int64_t at_unix_ms = 0;
  bool all_tables = false;  ///< it was set for all tables of the run, not for this one
  bool operator==(const SteeringNote&) const = default;
};

/// A part of a live migration that this process does, or did.
struct RoleNote {
  std::string role;             ///< "capture", "copy", "apply"
  std::string state;            ///< one of role_state's
  std::string why;              ///< of "waiting" and "failed"; else empty
  std::uint64_t exit_code = 0;  ///< of "failed": what a process of its own would end with
  std::uint64_t wish = 0;       ///< the last that it was asked for by, while it ran (jobs/roles.h); 0: none
  bool operator==(const RoleNote&) const = default;
};
namespace role_state {
inline constexpr const char* kBeginning = "beginning";
inline constexpr const char* kWaiting = "waiting";  ///< apply: for history to begin
inline constexpr const char* kRunning = "running";
inline constexpr const char* kDone = "done";      ///< copy: all history is copied
inline constexpr const char* kFailed = "failed";  ///< it could not begin; the others go on
}  // namespace role_state

/// What a live migration adds: its stream, its spool, its applier, and how far the target is behind.
struct LiveProgress {
  std::vector<RoleNote> roles;  ///< in the order in which they begin; those of other runs are absent
  bool capturing = false, applying = false;
  std::string stream_view;   ///< "NEW_IMAGE"; empty until the stream is known
  std::uint64_t events = 0;  ///< records captured by this process
  double events_per_s = 0;
  std::uint64_t shards_reading = 0, shards_waiting = 0, shards_drained = 0;
  /// Until the oldest record that may be unread is trimmed. Negative: it may be gone.
  std::optional<double> until_trimmed_s;
  /// Since the open shard that is silent for longest has answered a poll; absent: there is none, or one never
  /// has.
  std::optional<double> last_polled_s;
  std::uint64_t spool_keys_at_most = 0, spool_bytes = 0, disk_free_bytes = 0;
  /// Until the spool has filled its disk, at the pace of the last minutes; absent while it does not grow.
  std::optional<double> disk_full_in_s;
  std::optional<double> oldest_change_s;  ///< age of the oldest change that waits; absent: none waits
  bool spool_full = false;                ///< there is no room: capture waits for it
  /// Images that the spool's bound has reduced to marks in this process, at most, and what reading their keys
  /// again costs, by the table's mean item.
  std::uint64_t spool_reduced = 0;
  double spool_reduced_rcu = 0;
  std::uint64_t applied = 0, removed = 0, reread = 0;  ///< keys written and deleted, and read again for it
  double applied_per_s = 0;
  std::optional<double> lag_s;           ///< from a change at the source to its write on the target, lately
  std::vector<std::string> gaps;         ///< what was missed, in words; not healed yet
  std::uint64_t gaps_healing = 0;        ///< of them, from the first: this run's history heals them
  bool in_step = false;                  ///< as of this snapshot
  std::vector<std::string> not_in_step;  ///< what stands against it; empty if nothing does
  /// What was written at the source before this time is on the target; absent unless nothing but rejects
  /// stands against being in step. Of this machine's clock.
  std::optional<std::int64_t> complete_until_unix_ms;
  /// What only a person can put right before it can be in step, and how; empty: nothing.
  std::string needs_person;
  bool operator==(const LiveProgress&) const = default;
};

/// A verification at work, or the last one of this process.
struct VerifyProgress {
  bool running = false;
  bool staying = false;                      ///< the pass is done, and each key that changes is judged
  std::string phase;                         ///< forward, backward, buckets, judging, done
  std::uint64_t items = 0, target_keys = 0;  ///< compared; read of the target's
  std::optional<std::uint64_t> expected_items;
  double items_per_s = 0, source_rcu = 0, target_rcu = 0;
  std::uint64_t units = 0, units_done = 0;  ///< of the phase
  std::uint64_t missing = 0, extra = 0, differs = 0, unsettled = 0, rejected = 0, suspects = 0;
  std::uint64_t judged = 0, touched_judged = 0;
  std::string waits_for;                  ///< what holds it up, in words; empty: nothing
  std::vector<std::string> not_verified;  ///< what stands against calling the target verified; empty: it is
  std::int64_t began_unix_ms = 0, ended_unix_ms = 0;
  bool operator==(const VerifyProgress&) const = default;
};

struct Progress {
  std::string job = "copy";
  std::string table;  ///< of the source
  /// preparing, following (all history is copied, changes go on), queued (one of many: waits for its turn),
  /// waiting (for a former process's requests), copying, paused, finishing, done, stopped, failed (one of
  /// many: the others go on)
  std::string phase;
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
  /// Since a page was settled last. 0 while the job waits by design: paused, for a rate that was set, for its
  /// turn, or for requests of a former process. What a stall is judged by. A job that follows has no pages:
  /// 0, but for the time since it published last.
  double idle_s = 0;

  // What the governors decided, and why: for people.
  bool paused = false;  ///< by a person: no page and no batch is begun
  std::optional<double> read_budget_rcu_per_s, write_budget_wcu_per_s;  ///< absent: no limit
  std::string read_budget_why, write_budget_why;
  /// What everybody else uses of the tables; absent: not known, or of no matter.
  std::optional<double> application_rcu_per_s, application_wcu_per_s;
  std::uint64_t write_concurrency = 0;  ///< batches that may be on the wire
  std::string write_concurrency_why;
  std::vector<SteeringNote> steering;  ///< the last change of each setting that was changed

  std::optional<LiveProgress> live;      ///< of a live migration
  std::optional<VerifyProgress> verify;  ///< absent: nothing was verified by this process
};

}  // namespace messina::jobs
