// The JSON events of --json, one object a line; docs/formats/json-events.md describes each field, and a
// golden test holds them to it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "console/control.h"
#include "jobs/copy.h"
#include "jobs/migrate.h"
#include "jobs/progress.h"
#include "jobs/schema.h"
#include "jobs/selftest.h"
#include "state/job_store.h"

namespace messina::console {

/// Counts as all events hold them.
std::string counts_json(const state::Counts& counts);

std::string notice_event(WallTime time, std::string_view level, std::string_view message);
std::string schema_event(WallTime time, const jobs::SchemaReport& report);
std::string progress_event(WallTime time, const jobs::Progress& progress);
/// The event's fields alone, as an object.
std::string progress_fields(const jobs::Progress& progress);

/// How a job ended.
struct Outcome {
  std::string source, target;  ///< canonical addresses
  ExitCode exit = ExitCode::done;
  jobs::CopySummary summary;
  bool finished = true;  ///< false: the summary is of what was done so far
  std::string state_flag =
      {};  ///< ` --state DIR`, to be added to commands that are named; empty for the default
};
std::string summary_event(WallTime time, const Outcome& outcome);

/// How a live migration ended.
struct MigrateOutcome {
  std::string source, target;  ///< canonical addresses
  ExitCode exit = ExitCode::done;
  jobs::MigrateSummary summary;
  std::string state_flag = {};  ///< as of Outcome
};
/// What a live job did: the roles that it began, all three where it does not tell.
jobs::Roles roles_of(const jobs::LiveProgress& live);
/// Also a `summary`, with the fields of a copy's and what the changes add.
std::string migrate_summary_event(WallTime time, const MigrateOutcome& outcome);
std::string error_event(WallTime time, const Error& error, ExitCode exit);

/// How the last run of a migration ended, where it ended with an error.
struct LastEnd {
  ExitCode exit = ExitCode::stopped;
  std::string message;
  std::string at;  ///< ISO 8601, UTC
};

/// A migration as `status` shows it. Without a folder there is none of it yet.
struct MigrationStatus {
  std::string folder;
  std::string source, target;
  state::JobPhase phase = state::JobPhase::planned;
  bool begun = false;
  bool running = false;
  std::string holder_host, holder_since;  ///< of the running process
  std::int64_t holder_pid = 0;
  bool unclean = false;  ///< not running, and the last run did not end cleanly
  state::Counts counts;
  std::uint64_t live_rejects = 0;
  std::uint64_t units = 0, units_done = 0, units_skipped = 0;
  /// Of the running process where it answers, else the last that the job left in the ledger.
  std::optional<jobs::Progress> progress;
  std::optional<std::int64_t> heartbeat_unix_ms;  ///< last commit of a run that has not ended cleanly
  bool live = false;                              ///< `progress` is the running process's own
  std::optional<LastEnd> last_end;                ///< unless it runs, or ended well
  /// Of a live migration: what was missed, in words, as the ledger has it; but for what a run with --heal has
  /// begun to heal.
  std::vector<std::string> gaps;
  /// With `live`: the run over many tables that it is a part of.
  std::optional<RunOfTables> run;
  /// The last verification: of the running process, else as it is kept. Absent: nothing was verified.
  std::optional<jobs::VerifyProgress> verify;
};
std::string migration_event(WallTime time, const MigrationStatus& status);
/// "new", "planned", "copying", "following", "done".
std::string_view phase_name(const MigrationStatus& status);
/// Of a live migration all history is copied, and the changes since must be followed: it did not end in step.
bool must_follow(const MigrationStatus& status);

/// One line of `status --check`.
struct Check;
std::string status_check_event(WallTime time, const MigrationStatus& status, const Check& check);
/// What `pause`, `resume` and `set` did: `done` says it, the snapshot has what is in force now.
std::string steered_event(WallTime time, const MigrationStatus& status, std::string_view done);
/// What they did to a run over many tables; each that was told has a steered event before it.
struct TablesSteered {
  std::string done;           ///< as of steered_event()
  std::uint64_t tables = 0;   ///< that were told
  std::uint64_t failed = 0;   ///< of them: gave no answer, or refused
  std::uint64_t to_come = 0;  ///< tables that have not begun, and will begin so
  ExitCode exit = ExitCode::done;
};
std::string tables_steered_event(WallTime time, const TablesSteered& steered);

/// `item_json` is DynamoDB JSON as it was read.
std::string reject_event(WallTime time, const state::Reject& reject);
/// What `rejects retry` did.
std::string retry_event(WallTime time, std::uint64_t written, std::uint64_t refused);
/// Of a live migration: so many keys will be read again.
std::string reread_event(WallTime time, std::uint64_t keys);
/// What a repair would do.
std::string repair_plan_event(WallTime time, std::uint64_t reread, std::uint64_t extra, bool delete_extra);

/// A unit of work that `messina copy-unit` runs from this line alone. `plan_json` is plan::to_json()'s.
std::string unit_event(WallTime time, std::string_view plan_json, const jobs::UnitRun& run);
std::string selftest_event(WallTime time, const jobs::SelftestCheck& check);
std::string version_event(WallTime time, std::string_view version);

}  // namespace messina::console
