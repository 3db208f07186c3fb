// The ledger's file: its tables, its formats, checking it. How it is opened: sqlite_file.cc.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "state/ledger_impl.h"
#include "state/sqlite_file.h"

namespace messina::state {
namespace {

constexpr FileKind kLedger{
    .name = "ledger",
    .application_id = 0x6d657373,  // "mess"; `file ledger.db` shows it
    .format = kLedgerFormat,
    .nothing = "nothing was begun",
    .start_over = "start over with --restart --into-existing",
    .begin_anew = "begin anew with another --state",
};

// Counts are 64-bit unsigned in memory; SQLite's integers are signed, which 2^63 items will not notice.
constexpr const char* kSchema = R"sql(
  CREATE TABLE job (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    source_table_id TEXT NOT NULL,
    target_table_id TEXT NOT NULL,
    plan_fingerprint TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('planned', 'copying', 'done')),
    begun_limit INTEGER NOT NULL,
    heartbeat_unix_ms INTEGER,
    source_ttl_attribute TEXT,
    live_rejects INTEGER NOT NULL,
    created_unix_ms INTEGER NOT NULL,
    snapshot_json TEXT NOT NULL
  ) STRICT;
  CREATE TABLE unit (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'skipped', 'done')),
    cursor BLOB NOT NULL,
    pages INTEGER NOT NULL,
    read_items INTEGER NOT NULL,
    read_bytes INTEGER NOT NULL,
    written_items INTEGER NOT NULL,
    rejected_items INTEGER NOT NULL,
    rcu REAL NOT NULL,
    wcu REAL NOT NULL
  ) STRICT;
  CREATE TABLE reject (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unit TEXT REFERENCES unit (id),  -- NULL: a change, refused when it was applied
    live INTEGER NOT NULL CHECK (live IN (0, 1)),
    at_unix_ms INTEGER NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    item BLOB NOT NULL  -- last: up to 400 KB that most queries need not read
  ) STRICT;
)sql";

/// Format 2 has it beside what format 1 has. A row is the spool that the migration has; at most one.
constexpr const char* kSpoolTable =
    "CREATE {} TABLE spool (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL,"
    " counter INTEGER NOT NULL) STRICT";

/// Format 3 has these beside what format 2 has: the live record, at most one; and the keys by which live
/// rejects are found when they are written after all.
constexpr const char* kLiveTable =
    "CREATE {} TABLE live (one INTEGER PRIMARY KEY CHECK (one = 1), record TEXT NOT NULL,"
    " history_epoch INTEGER NOT NULL) STRICT";
constexpr const char* kRejectKeyTable =
    "CREATE {} TABLE reject_key (reject INTEGER PRIMARY KEY, key BLOB NOT NULL) STRICT";
constexpr const char* kRejectKeyIndex = "CREATE INDEX reject_by_key ON reject_key (key)";
/// And a reject may be of no unit, which takes a new table.
constexpr const char* kRejectsOfNoUnit = R"sql(
  CREATE TABLE reject_3 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unit TEXT REFERENCES unit (id),  -- NULL: a change, refused when it was applied
    live INTEGER NOT NULL CHECK (live IN (0, 1)),
    at_unix_ms INTEGER NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    item BLOB NOT NULL  -- last: up to 400 KB that most queries need not read
  ) STRICT;
  INSERT INTO reject_3 SELECT id, unit, live, at_unix_ms, code, reason, item FROM reject;
  DROP TABLE reject;
  ALTER TABLE reject_3 RENAME TO reject;
)sql";

}  // namespace

Result<void> Ledger::Impl::open(const Options& options) {
  const bool read_only = options.access == Access::read_only;
  auto fresh = open_file(db, kLedger, file, options);
  if (!fresh) return fail(std::move(fresh.error()));
  if (auto ok = *fresh ? create() : upgrade(read_only); !ok) return ok;
  if (auto ok = prepare_statements(); !ok || read_only) return ok;
  return check_after_unclean_end();
}

Result<void> Ledger::Impl::create() {
  Transaction transaction(db);
  if (auto ok = transaction.begin_write(); !ok) return ok;
  if (auto ok = db.exec(kSchema); !ok) return ok;
  if (auto ok = make_tables(1, /*read_only=*/false); !ok) return ok;
  if (auto ok = mark_format(db, kLedger); !ok) return ok;
  return transaction.commit();
}

/// What the present format has beside `from_format`; in memory where the file is only read.
Result<void> Ledger::Impl::make_tables(int from_format, bool read_only) {
  const auto make = [&](const char* table) {
    return db.exec(fmt::format(fmt::runtime(table), read_only ? "TEMP" : "").c_str());
  };
  if (from_format < 2) {
    if (auto ok = make(kSpoolTable); !ok) return ok;
  }
  if (auto ok = make(kLiveTable); !ok) return ok;
  if (auto ok = make(kRejectKeyTable); !ok || read_only) return ok;
  return db.exec(kRejectKeyIndex);
}

/// Brings a known older format to the present one: in the file, or in memory where the file is only read.
Result<void> Ledger::Impl::upgrade(bool read_only) {
  auto format = db.number("PRAGMA user_version");
  if (!format) return fail(std::move(format.error()));
  if (*format == kLedgerFormat) return {};
  if (read_only) return make_tables(static_cast<int>(*format), read_only);
  Transaction transaction(db);
  if (auto ok = transaction.begin_write(); !ok) return ok;
  if (auto ok = make_tables(static_cast<int>(*format), read_only); !ok) return ok;
  if (auto ok = db.exec(kRejectsOfNoUnit); !ok) return ok;
  if (auto ok = mark_format(db, kLedger); !ok) return ok;
  return transaction.commit();
}

/// A clean end leaves the file whole. After any other, an early answer is better than one in the middle of
/// the job.
Result<void> Ledger::Impl::check_after_unclean_end() {
  auto unclean = db.number("SELECT count(*) FROM job WHERE heartbeat_unix_ms IS NOT NULL");
  if (!unclean) return fail(std::move(unclean.error()));
  if (*unclean == 0) return {};
  auto found = db.text("PRAGMA quick_check(1)");
  if (!found) return fail(std::move(found.error()));
  if (*found != "ok") {
    std::ranges::replace(*found, '\n', ' ');
    return fail(db.damaged(*found));
  }
  return {};
}

}  // namespace messina::state
