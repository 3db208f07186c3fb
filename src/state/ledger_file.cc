// The ledger's file: its tables, its formats, opening and checking it.
#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "state/ledger_impl.h"
#include "state/private_files.h"

namespace messina::state {
namespace {

constexpr std::int64_t kApplicationId = 0x6d657373;  ///< "mess"; `file ledger.db` shows it

constexpr const char* kSettings = R"sql(
  PRAGMA foreign_keys = ON;
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
  PRAGMA temp_store = MEMORY;  -- item contents stay inside the state directory
)sql";

// FULL: a commit in WAL mode is synced before it returns
// (https://www.sqlite.org/pragma.html#pragma_synchronous). The size limit gives the disk back after begin()
// of very many units.
constexpr const char* kDurable = R"sql(
  PRAGMA synchronous = FULL;
  PRAGMA journal_size_limit = 16777216;
)sql";

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

/// A file without contents counts as missing (SQLite's Unix VFS has it so).
bool exists(const std::filesystem::path& file, const std::string& vfs_name) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(vfs_name.empty() ? nullptr : vfs_name.c_str());
  int found = 0;
  return vfs != nullptr && vfs->xAccess(vfs, file.c_str(), SQLITE_ACCESS_EXISTS, &found) == SQLITE_OK &&
         found != 0;
}

}  // namespace

Result<void> Ledger::Impl::open(const Options& options) {
  auto opened = options.access == Access::read_write ? open_for_writing(options) : open_for_reading(options);
  if (!opened) return opened;
  if (auto ok = prepare_statements(); !ok) return ok;
  if (options.access == Access::read_write) return check_after_unclean_end();
  return {};
}

Result<void> Ledger::Impl::connect(int flags, const Options& options, bool immutable) {
  if (auto ok = db.open(file, flags, options.vfs, immutable); !ok) return ok;
  db.set_busy_timeout(options.busy_timeout);
  return db.exec(kSettings);
}

Result<void> Ledger::Impl::open_for_writing(const Options& options) {
  if (options.vfs.empty()) {
    // SQLite would make the file with the umask's rights; its -wal and -shm files take those of the file.
    if (auto made = make_private_folder(file.parent_path()); !made) return fail(std::move(made.error()));
    if (auto made = make_private_file(file); !made) return made;
  }
  if (auto ok = connect(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, options); !ok) return ok;
  auto fresh = is_fresh();
  if (!fresh) return fail(std::move(fresh.error()));
  if (!*fresh) {
    // Before anything is changed: it may be another program's file, or a newer messina's.
    if (auto ok = check_format(); !ok) return ok;
  }
  auto mode = db.text("PRAGMA journal_mode = WAL");
  if (!mode) return fail(std::move(mode.error()));
  if (*mode != "wal") {
    return fail(ErrorKind::disk,
                fmt::format("the file system under ledger \"{}\" has no shared memory for SQLite's WAL "
                            "mode: put the state on a local disk with --state",
                            file.string()));
  }
  if (auto ok = db.exec(kDurable); !ok) return ok;
  return *fresh ? create() : upgrade(/*read_only=*/false);
}

Result<void> Ledger::Impl::open_for_reading(const Options& options) {
  if (!exists(file, options.vfs)) {
    return fail(ErrorKind::not_found,
                fmt::format("there is no ledger \"{}\": nothing was begun here; is it the right --state?",
                            file.string()));
  }
  auto opened = connect(SQLITE_OPEN_READONLY, options);
  auto fresh = opened ? is_fresh() : Result<bool>(fail(std::move(opened.error())));
  if (!fresh && fresh.error().kind == ErrorKind::disk) {
    // In a directory where we may not write, SQLite cannot make the -wal and -shm files. If nobody else has
    // made them, nobody is writing, and the file by itself is complete.
    if (!exists(file.string() + "-wal", options.vfs)) {
      opened = connect(SQLITE_OPEN_READONLY, options, /*immutable=*/true);
      fresh = opened ? is_fresh() : Result<bool>(fail(std::move(opened.error())));
    }
  }
  if (!fresh) return fail(std::move(fresh.error()));
  if (*fresh) {
    return fail(ErrorKind::not_found,
                fmt::format("ledger \"{}\" is empty: nothing was begun here yet", file.string()));
  }
  if (auto ok = check_format(); !ok) return ok;
  return upgrade(/*read_only=*/true);
}

/// True for a file without any content: just made, or left so by a crash while it was being made.
Result<bool> Ledger::Impl::is_fresh() {
  // Asked first, because it takes the file's shared lock and reads its header.
  auto tables = db.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(std::move(tables.error()));
  auto application = db.number("PRAGMA application_id");
  if (!application) return fail(std::move(application.error()));
  return *tables == 0 && *application == 0;
}

Result<void> Ledger::Impl::create() {
  Transaction transaction(db);
  if (auto ok = transaction.begin_write(); !ok) return ok;
  if (auto ok = db.exec(kSchema); !ok) return ok;
  if (auto ok = make_tables(1, /*read_only=*/false); !ok) return ok;
  const std::string marks =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, kLedgerFormat);
  if (auto ok = db.exec(marks.c_str()); !ok) return ok;
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
  if (auto ok = db.exec(fmt::format("PRAGMA user_version = {}", kLedgerFormat).c_str()); !ok) return ok;
  return transaction.commit();
}

Result<void> Ledger::Impl::check_format() {
  auto application = db.number("PRAGMA application_id");
  if (!application) return fail(std::move(application.error()));
  if (*application != kApplicationId) return fail(db.damaged("it is no ledger of messina"));
  auto format = db.number("PRAGMA user_version");
  if (!format) return fail(std::move(format.error()));
  if (*format > kLedgerFormat) {
    return fail(
        ErrorKind::needs_person,
        fmt::format("ledger \"{}\" has format {}, and this messina knows formats up to {}: use the newer "
                    "messina that wrote it, or begin anew with another --state",
                    file.string(), *format, kLedgerFormat));
  }
  if (*format < 1) return fail(db.damaged(fmt::format("format {}", *format)));
  return {};
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
