// How a copy begins, goes on, or finds that it may not.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>

#include "jobs/authority.h"
#include "jobs/copy_run.h"

namespace messina::jobs {

/// What both sides say of their tables at the start.
struct PinnedTables {
  state::JobIdentity identity;
  item::KeySchema source_key, target_key;
  std::optional<state::Authority> authority;  ///< that the target carries
  std::optional<std::uint64_t> expected_items, expected_bytes;
  std::optional<std::string> ttl_attribute;
  pace::TableUnits source_reads, target_writes;
};
Task<Result<PinnedTables>> pin_tables(Lane& lane, Stop* stop, Random& random, const std::string& fingerprint);
/// A job that may run: its durable state, and what is known of the process before this one.
struct OpenedJob {
  std::shared_ptr<const state::JobState> state;
  std::uint64_t former_limit = 0;      ///< units before it may have been begun by a former process
  bool former_heartbeat = false;       ///< a former process did not end cleanly
  bool former_may_be_on_wire = false;  ///< and there are units that it may have begun
  MonoTime quiet_until{};              ///< its requests are dead from then on
};
/// Takes the target for this copy, which has no companion: the ledger first, then the tags. A former owner is
/// outwaited, and counts in `opened` as a predecessor.
Task<Result<void>> take_target(std::shared_ptr<CopyRun> run, const PinnedTables& tables, OpenedJob& opened);
/// needs_person where `begun` is not what is to be run `now`: other tables, or another plan.
Result<void> check_identity(const state::JobIdentity& begun, const state::JobIdentity& now);

/// Goes on with the job in the store, or begins one; with `only_unit` a job of that unit alone. Returns done
/// jobs as they are. A durable heartbeat of this process is set when it returns, unless the job is done.
Task<Result<OpenedJob>> open_job(std::shared_ptr<CopyRun> run, const PinnedTables& tables,
                                 const UnitRun* only_unit);

/// How often a running job looks at its tables again: at the target, whose owner may be another by now, and
/// at every kSourceOnceIn-th look at the source, too.
inline constexpr Duration kCheckTablesEvery = kLookAtOwnerEvery;
/// After a look that had no answer.
inline constexpr Duration kLookAgain = std::chrono::seconds(5);
inline constexpr std::uint32_t kSourceOnceIn = 6;

enum class LookAt : std::uint8_t { target, both };
/// Describes tables by the lane's endpoints, once, and compares them with what was pinned. needs_person if
/// one was deleted and made again, or the target carries another authority than `ours` (an empty owner: that
/// of whoever gave the work out); an error that a repetition may cure is returned as it is. False: the target
/// carries none, or may not be asked for it any more.
Task<Result<bool>> check_tables(Lane& lane, const state::JobIdentity& pinned, const state::Authority& ours,
                                LookAt look);

/// What an answer of check_tables(), asked for at `asked`, means for the `sight` of the target's owner. An
/// error says why it was not seen.
std::optional<Error> note_look(const Result<bool>& look, MonoTime asked, const std::string& target,
                               Sight& sight);

/// When a former process's requests are dead (PROTOCOL rule 3). Pure; the unit tests call it.
/// `former_heartbeat_unix_ms`: nullopt after a clean end.
MonoTime quiet_time(const CopyOptions& options, std::optional<std::int64_t> former_heartbeat_unix_ms,
                    const Clock& clock);

/// How many units the durable begun_limit should be ahead of those that are begun.
std::uint64_t reserved_ahead(const CopyRun& run, std::uint64_t units);

std::int64_t unix_ms(WallTime time);

}  // namespace messina::jobs
