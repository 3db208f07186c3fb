// The inside of a running migration; private to src/jobs/migrate*.cc.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jobs/copy_start.h"
#include "jobs/in_step.h"
#include "jobs/live_ledger.h"
#include "jobs/migrate.h"
#include "jobs/side_pace.h"
#include "jobs/task_group.h"
#include "state/disk_forecast.h"

namespace messina::jobs {

/// One of the roles, as it stands in this process.
struct Part {
  std::string_view state;  ///< of role_state; empty: not begun
  std::string why;
  std::uint64_t exit_code = 0;
  std::uint64_t wish = 0;

  bool begun() const { return !state.empty() && state != role_state::kFailed; }
  void stands(std::string_view as) {
    state = as;
    why.clear();
    exit_code = 0;
  }
  void failed(const Error& error);
};

/// What a claim rests on, and what stands against it.
struct Look {
  StepFacts facts;
  std::vector<std::string> against;
  MonoTime at{};
};

/// Everything of one running migration. Held by each coroutine of it; all of it on its first loop.
struct Migration {
  Migration(MigrateContext& job_context, const MigrateOptions& job_options)
      : context(job_context),
        options(job_options),
        loop(*job_context.lanes->front().loop),
        random(job_context.random.fork()),
        companion(job_options.copy.clock_error, loop.now()),
        into_existing(job_options.copy.into_existing),
        restart_owed(job_options.copy.restart) {}

  Lane& lane() const { return context.lanes->front(); }
  Part& part(Role role) { return parts[static_cast<std::size_t>(role)]; }
  const Part& part(Role role) const { return parts[static_cast<std::size_t>(role)]; }
  bool copying() const { return part(Role::copy).begun() && !history_done; }
  void fail_with(Error error) {
    if (!failure) failure = std::move(error);
    halt.request();
  }

  MigrateContext& context;
  const MigrateOptions& options;
  Loop& loop;
  Random random;
  Stop halt;  ///< a stop by the user, by an error, or because the target is in step
  std::optional<Error> failure;

  PinnedTables tables;
  state::JobState job;  ///< as it was found, or begun; its phase and history_epoch follow the copy
  std::unique_ptr<LiveLedger> ledger;
  Companion companion;
  ProgressBoard copy_board;
  std::unique_ptr<Capture> capture;
  std::unique_ptr<Apply> apply;
  MonoTime quiet_until{};
  MonoTime looked_at_start{};  ///< at the tables
  Sight source_sight;          ///< for deletes of what was absent
  std::string owner_unseen;    ///< why the last look at the target's owner did not see it; empty: it did

  std::array<Part, kRoles> parts;
  TaskGroup at_work;  ///< the parts, and who begins them
  bool into_existing, restart_owed;
  bool heal_owed = false;
  CopySummary copied;
  bool copies_anew = false;  ///< history, from its start
  bool history_done = false;
  std::uint64_t history_epoch = 0;  ///< of the units, once they are begun
  bool capturing = false, applying = false;
  EndInStep end_in_step;
  bool ended_by_itself = false;    ///< in step, or only rejects stood against it
  Look last_look;                  ///< while all was at work
  state::SpoolFigures spool_seen;  ///< while no applier looks at it
  state::DiskGrowth growth;
  std::uint64_t reduced = 0;       ///< images, to marks
  LiveBeside beside;               ///< of the verification
  std::unique_ptr<Verify> verify;  ///< the last that was begun
  bool verifying = false;          ///< it is at work
  bool verified_as_told = false;   ///< what the options say of verifying was begun
  /// Sets the rate of what is read again while no history is copied, whose own governor does it else.
  std::optional<SidePace> read_pace;
};

using SharedMigration = std::shared_ptr<Migration>;

// ------------------------------------------------------------------------------------- migrate_begin.cc

/// What every process does before its parts: tables, ledger, authority (rule 20), spool.
Task<Result<void>> prepare(SharedMigration m);
/// Begins one part and leaves it to at_work; the parts before it (rule 13) must have begun. An error leaves
/// it as if it had not been asked for.
Task<Result<void>> begin_part(SharedMigration m, Role role, RoleWish wish);
/// Begins what a running process was asked for, one part after the other. What cannot begin has failed, and
/// what comes after it; all else goes on.
Task<void> take_on(SharedMigration m, RoleWish wish);

// -------------------------------------------------------------------------------------- migrate_parts.cc

Task<void> follow_stream(SharedMigration m);
Task<void> copy_history(SharedMigration m);
Task<void> apply_changes(SharedMigration m);
/// Once history is copied; an error ends the migration, a stop does not.
Task<void> pass_backward(SharedMigration m);
/// Rule 20. `next`: when to look again, which is soon where there was no answer.
Task<void> check_tables_now(SharedMigration m, LookAt look, MonoTime* next);
Task<void> look_at_source(SharedMigration m);
/// A person wants the rejects' keys read again. An error is told, and meets whoever works with what is
/// broken.
Task<void> mark_rejects(SharedMigration m, std::uint64_t wish);
Task<void> bound_spool(SharedMigration m);
Task<void> keep_read_pace(SharedMigration m, Stop* over);

// ------------------------------------------------------------------------------------- migrate_verify.cc

/// What was asked for, until it is done or `cancel` is requested. An error is the answer.
Task<void> verify_by_wish(SharedMigration m, VerifyWish wish, std::shared_ptr<Stop> cancel);
/// For who was told to verify when in step, or at once: an error for good ends the migration.
Task<void> verify_as_told(SharedMigration m);

// --------------------------------------------------------------------------------------- migrate_look.cc

Task<Look> look_at(SharedMigration m);
LiveProgress live_progress(Migration& m, const Look& look);
Progress progress_of(Migration& m, LiveProgress live);
/// What only a person can put right before it is in step; empty if nothing is.
std::string needs_person(const Migration& m);

}  // namespace messina::jobs
