#include "state/sqlite_file.h"

#include <utility>

#include <fmt/format.h>

#include "state/private_files.h"

namespace messina::state {
namespace {

constexpr const char* kSettings = R"sql(
  PRAGMA foreign_keys = ON;
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
  PRAGMA temp_store = MEMORY;  -- item contents stay inside the state directory
)sql";

// FULL: a commit in WAL mode is synced before it returns
// (https://www.sqlite.org/pragma.html#pragma_synchronous). The size limit gives the disk back after what is
// long: beginning with very many units, a digest's checkpoint.
constexpr const char* kDurable = R"sql(
  PRAGMA synchronous = FULL;
  PRAGMA journal_size_limit = 16777216;
)sql";

/// A file without contents counts as missing (SQLite's Unix VFS has it so).
bool exists(const std::filesystem::path& file, const std::string& vfs_name) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(vfs_name.empty() ? nullptr : vfs_name.c_str());
  int found = 0;
  return vfs != nullptr && vfs->xAccess(vfs, file.c_str(), SQLITE_ACCESS_EXISTS, &found) == SQLITE_OK &&
         found != 0;
}

/// True for a file without any content: just made, or left so by a crash while it was being made.
Result<bool> is_fresh(Database& db) {
  // Asked first, because it takes the file's shared lock and reads its header.
  auto tables = db.number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(std::move(tables.error()));
  auto application = db.number("PRAGMA application_id");
  if (!application) return fail(std::move(application.error()));
  return *tables == 0 && *application == 0;
}

/// What open_file() was given.
struct Opening {
  Database& db;
  const FileKind& kind;
  const std::filesystem::path& file;
  const FileOptions& options;

  Result<bool> for_writing();
  Result<bool> for_reading();

 private:
  /// Opens the file; whether it is fresh.
  Result<bool> connect(int flags, bool immutable = false);
  Result<void> check_format();
};

Result<bool> Opening::connect(int flags, bool immutable) {
  if (auto ok = db.open(kind, file, flags, options.vfs, immutable); !ok) return fail(std::move(ok.error()));
  db.set_busy_timeout(options.busy_timeout);
  if (auto ok = db.exec(kSettings); !ok) return fail(std::move(ok.error()));
  return is_fresh(db);
}

Result<bool> Opening::for_writing() {
  if (options.vfs.empty()) {
    // SQLite would make the file with the umask's rights; its -wal and -shm files take those of the file.
    if (auto made = make_private_folder(file.parent_path()); !made) return made;
    if (auto made = make_private_file(file); !made) return fail(std::move(made.error()));
  }
  auto fresh = connect(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!fresh) return fresh;
  if (!*fresh) {
    // Before anything is changed: it may be another program's file, or a newer messina's.
    if (auto ok = check_format(); !ok) return fail(std::move(ok.error()));
  }
  auto mode = db.text("PRAGMA journal_mode = WAL");
  if (!mode) return fail(std::move(mode.error()));
  if (*mode != "wal") {
    return fail(ErrorKind::disk,
                fmt::format("the file system under {} \"{}\" has no shared memory for SQLite's WAL mode: put "
                            "the state on a local disk with --state",
                            kind.name, file.string()));
  }
  if (auto ok = db.exec(kDurable); !ok) return fail(std::move(ok.error()));
  return fresh;
}

Result<bool> Opening::for_reading() {
  if (!exists(file, options.vfs)) {
    return fail(ErrorKind::not_found, fmt::format("there is no {} \"{}\": {} here; is it the right --state?",
                                                  kind.name, file.string(), kind.nothing));
  }
  auto fresh = connect(SQLITE_OPEN_READONLY);
  if (!fresh && fresh.error().kind == ErrorKind::disk) {
    // In a directory where we may not write, SQLite cannot make the -wal and -shm files. If nobody else has
    // made them, nobody is writing, and the file by itself is complete.
    if (!exists(file.string() + "-wal", options.vfs)) {
      fresh = connect(SQLITE_OPEN_READONLY, /*immutable=*/true);
    }
  }
  if (!fresh) return fresh;
  if (*fresh) {
    return fail(ErrorKind::not_found,
                fmt::format("{} \"{}\" is empty: {} here yet", kind.name, file.string(), kind.nothing));
  }
  if (auto ok = check_format(); !ok) return fail(std::move(ok.error()));
  return false;
}

Result<void> Opening::check_format() {
  auto application = db.number("PRAGMA application_id");
  if (!application) return fail(std::move(application.error()));
  if (*application != kind.application_id) {
    return fail(db.damaged(fmt::format("it is no {} of messina", kind.name)));
  }
  auto format = db.number("PRAGMA user_version");
  if (!format) return fail(std::move(format.error()));
  if (*format > kind.format) {
    return fail(ErrorKind::needs_person,
                fmt::format("{} \"{}\" has format {}, and this messina knows formats up to {}: use the newer "
                            "messina that wrote it, or {}",
                            kind.name, file.string(), *format, kind.format, kind.begin_anew));
  }
  if (*format < 1) return fail(db.damaged(fmt::format("format {}", *format)));
  return {};
}

}  // namespace

Result<bool> open_file(Database& db, const FileKind& kind, const std::filesystem::path& file,
                       const FileOptions& options) {
  Opening opening{db, kind, file, options};
  return options.access == Access::read_write ? opening.for_writing() : opening.for_reading();
}

Result<void> mark_format(Database& db, const FileKind& kind) {
  const std::string marks =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kind.application_id, kind.format);
  return db.exec(marks.c_str());
}

}  // namespace messina::state
