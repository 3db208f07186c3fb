// Is a job well? What /healthz answers and `status --check` says, from the snapshot alone (pure).
#pragma once
#include <chrono>
#include <string>

#include "base/error.h"
#include "console/events.h"
#include "jobs/progress.h"
#include "jobs/tables_progress.h"

namespace messina::console {

/// A job that settles no page for longer is stalled, unless told otherwise.
inline constexpr std::chrono::minutes kStalledAfter{10};

struct Health {
  bool ok = true;
  std::string reason;  ///< one line: what it does, or what is wrong
};

/// Well is a job that settles pages, or waits by design (Progress::idle_s): it is paused, held by the read
/// rate that was set, or its former process's requests must be dead first. A job that prepares, or waits for
/// a server, is well until `stalled_after`.
///
/// A live migration that follows settles no pages. It is stalled when it tells nothing for that long, or when
/// a change has waited for that long and none is applied. Gaps, a full spool and records that are trimmed
/// soon are named and make nobody sick: a new start would not cure them; check() judges them.
Health health_of(const jobs::Progress& progress, std::chrono::milliseconds stalled_after);
/// A run is well while each table that runs is. One that failed is named, and makes nobody sick: the others
/// go on, and no new start would cure it.
Health health_of(const jobs::TablesProgress& progress, std::chrono::milliseconds stalled_after);

/// "paused by anna (uid 1000, pid 4711) since 2026-01-31T12:00:00Z"; empty unless it is paused.
std::string pause_text(const jobs::Progress& progress);

/// One migration, judged for a script.
struct Check {
  ExitCode exit = ExitCode::done;
  /// "done", "done with rejects", "running", "paused", "at risk", "stalled", "stopped", "needs a person",
  /// "unreadable", "not begun".
  std::string state;
  std::string reason;  ///< without an end of line
};

/// done: it is done, or runs and is well. done_with_rejects: done with rejects that are live. stopped: it is
/// not done, and does not run, is stalled, or will miss changes soon unless somebody looks (a full spool,
/// records that are trimmed). needs_person: changes were missed; or the last run ended so, and nothing runs
/// now.
Check check(const MigrationStatus& status, std::chrono::milliseconds stalled_after);
/// For a migration whose state cannot be read.
Check check(const Error& error);

/// "done: dynamodb://…/orders to alternator://…/orders: 3 items written". `name`: its addresses or its
/// folder.
std::string check_line(const Check& check, std::string_view name);

}  // namespace messina::console
