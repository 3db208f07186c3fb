#include "state/sqlite.h"

#include <cstring>
#include <system_error>

#include <fmt/format.h>

namespace messina::state {
namespace {

/// SQLite's names of the results that a person may have to look up.
std::string code_name(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
      return "SQLITE_BUSY";
    case SQLITE_READONLY:
      return "SQLITE_READONLY";
    case SQLITE_IOERR:
      return "SQLITE_IOERR";
    case SQLITE_CORRUPT:
      return "SQLITE_CORRUPT";
    case SQLITE_FULL:
      return "SQLITE_FULL";
    case SQLITE_CANTOPEN:
      return "SQLITE_CANTOPEN";
    case SQLITE_NOTADB:
      return "SQLITE_NOTADB";
    default:
      return fmt::format("SQLITE {}", code);
  }
}

/// A file name as it stands in an SQLite URI (https://www.sqlite.org/uri.html).
std::string file_uri(const std::filesystem::path& file) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(file).string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("/._-").contains(c);
    uri += plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return uri;
}

}  // namespace

std::unexpected<Error> Statement::error(int code) const { return fail(database_->error(code)); }

Result<void> Database::open(const FileKind& kind, const std::filesystem::path& file, int flags,
                            const std::string& vfs, bool immutable) {
  kind_ = kind;
  file_ = file;
  std::string name = file.string();
  if (immutable) {
    name = file_uri(file) + "?immutable=1";
    flags |= SQLITE_OPEN_URI;
  }
  // A Database is used by one thread at a time, so SQLite's own mutexes would only cost.
  flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
  handle_.reset(handle);  // even a failed open gives one, to ask for the error
  if (code != SQLITE_OK) return fail(error(code));
  return {};
}

Result<void> Database::exec(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error(code));
  return {};
}

Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return fail(error(code));
  return Statement(this, statement);
}

Result<void> Database::prepare_all(std::span<const ToPrepare> statements) {
  for (const ToPrepare& each : statements) {
    auto prepared = prepare(each.sql);
    if (!prepared) {
      // The statements are right, so a table or column that is missing means that the schema is damaged.
      const bool schema = prepared.error().kind == ErrorKind::internal;
      return fail(schema ? damaged("its tables are not those of its format") : std::move(prepared.error()));
    }
    *each.statement = std::move(*prepared);
  }
  return {};
}

Result<void> BlobWriter::open(Database& database, const char* table, const char* column, std::int64_t row) {
  database_ = &database;
  sqlite3_blob* blob = nullptr;
  const int code =
      sqlite3_blob_open(database.handle_.get(), "main", table, column, row, /*flags: write*/ 1, &blob);
  blob_.reset(blob);
  written_ = 0;
  if (code != SQLITE_OK) return fail(database.error(code));
  return {};
}

Result<void> BlobWriter::write(std::string_view bytes) {
  const int size = static_cast<int>(bytes.size());
  const int code = sqlite3_blob_write(blob_.get(), bytes.data(), size, written_);
  if (code != SQLITE_OK) return fail(database_->error(code));
  written_ += size;
  return {};
}

Result<std::int64_t> Database::number(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return fail(std::move(statement.error()));
  std::int64_t value = 0;
  auto done = statement->each([&value](const Row& row) { value = row.i64(0); });
  if (!done) return fail(std::move(done.error()));
  return value;
}

Result<std::string> Database::text(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return fail(std::move(statement.error()));
  std::string value;
  auto done = statement->each([&value](const Row& row) { value = row.bytes(0); });
  if (!done) return fail(std::move(done.error()));
  return value;
}

Error Database::damaged(std::string_view how) const {
  return {
      ErrorKind::corrupt,
      fmt::format("{} \"{}\" is damaged ({}): move it aside, together with its -wal and -shm files, and {}",
                  kind_.name, file_.string(), how, kind_.start_over),
      "SQLITE_CORRUPT"};
}

Error Database::error(int code) const {
  std::string cause = sqlite3_errstr(code);
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damaged(cause);
    case SQLITE_FULL:
      return {ErrorKind::disk,
              fmt::format("the disk under {} \"{}\" is full ({}): free some space there and run again; "
                          "everything up to the last commit is kept",
                          kind_.name, file_.string(), cause),
              code_name(code)};
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      if (const int number = sqlite3_system_errno(handle_.get()); number != 0) {
        cause += ", " + std::generic_category().message(number);
      }
      return {ErrorKind::disk,
              fmt::format(
                  "{} \"{}\" cannot be read or written ({}): check the disk and the file's permissions and "
                  "run again; everything up to the last commit is kept",
                  kind_.name, file_.string(), cause),
              code_name(code)};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return {ErrorKind::busy,
              fmt::format("{} \"{}\" is locked by another program ({}): close what has it open, such as a "
                          "sqlite3 shell, and run again",
                          kind_.name, file_.string(), cause),
              code_name(code)};
    default:
      return {ErrorKind::internal,
              fmt::format("{} \"{}\": {}", kind_.name, file_.string(), sqlite3_errmsg(handle_.get())),
              code_name(code)};
  }
}

}  // namespace messina::state
