// A thin layer over SQLite's C interface, private to this room: handles that close themselves, errors as
// values.
#pragma once
#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include "base/error.h"

namespace messina::state {

class Database;

/// One of the kinds of files that this room keeps, as messages speak of it and as it is told from others.
struct FileKind {
  std::string_view name;            ///< "ledger"
  std::int64_t application_id = 0;  ///< in the file's header, where `file` shows it
  int format = 0;                   ///< the present one; newer ones are refused
  std::string_view nothing;         ///< why a file is not there: "nothing was begun"
  std::string_view start_over;      ///< the way out where it is damaged
  std::string_view begin_anew;      ///< the way out where it is newer, without the newer messina
};

/// Bytes that are to be stored as a BLOB; a plain string_view is stored as TEXT.
struct Blob {
  std::string_view bytes;
};

/// The row at which a query stands. Columns count from 0.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::int64_t i64(int column) const { return sqlite3_column_int64(statement_, column); }
  std::uint64_t u64(int column) const { return static_cast<std::uint64_t>(i64(column)); }
  double real(int column) const { return sqlite3_column_double(statement_, column); }
  /// TEXT or BLOB, byte for byte.
  std::string bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
  }

 private:
  sqlite3_stmt* statement_;
};

/// A prepared statement, kept and used again. Dies before its Database.
class Statement {
 public:
  Statement() = default;
  Statement(Database* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}

  /// Binds the arguments in order, runs to the end, and tells how many rows were changed.
  template <class... Args>
  Result<std::int64_t> run(const Args&... args) {
    const auto ignore = [](const Row&) {};
    if (auto done = each(ignore, args...); !done) return fail(std::move(done.error()));
    return sqlite3_changes64(sqlite3_db_handle(statement_.get()));
  }

  /// Binds the arguments in order and hands each row of the answer to `on_row`.
  template <class OnRow, class... Args>
  Result<void> each(OnRow&& on_row, const Args&... args) {
    const Rewind rewind{statement_.get()};
    int code = SQLITE_OK;
    int index = 0;
    ((code = code == SQLITE_OK ? bind(++index, args) : code), ...);
    if (code != SQLITE_OK) return error(code);
    while ((code = sqlite3_step(statement_.get())) == SQLITE_ROW) on_row(Row(statement_.get()));
    if (code != SQLITE_DONE) return error(code);
    return {};
  }

 private:
  /// Ends the statement's hold on the file, and on the arguments that were bound without copying.
  struct Rewind {
    sqlite3_stmt* statement;
    ~Rewind() {
      sqlite3_reset(statement);
      sqlite3_clear_bindings(statement);
    }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  int bind(int index, std::integral auto value) {
    return sqlite3_bind_int64(statement_.get(), index, static_cast<std::int64_t>(value));
  }
  int bind(int index, double value) { return sqlite3_bind_double(statement_.get(), index, value); }
  int bind(int index, std::string_view text) {
    // A null pointer would be stored as NULL.
    const char* data = text.data() == nullptr ? "" : text.data();
    return sqlite3_bind_text64(statement_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  int bind(int index, const std::string& text) { return bind(index, std::string_view(text)); }
  int bind(int index, Blob blob) {
    const char* data = blob.bytes.data() == nullptr ? "" : blob.bytes.data();
    return sqlite3_bind_blob64(statement_.get(), index, data, blob.bytes.size(), SQLITE_STATIC);
  }
  template <class T>
  int bind(int index, const std::optional<T>& value) {
    return value ? bind(index, *value) : sqlite3_bind_null(statement_.get(), index);
  }
  std::unexpected<Error> error(int code) const;

  Database* database_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// A connection. One thread at a time.
class Database {
 public:
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// `flags`: SQLITE_OPEN_*; `vfs`: empty for the default. `immutable`: the file is read as it is, without
  /// locks and without its -wal file. Opening again closes the former connection.
  Result<void> open(const FileKind& kind, const std::filesystem::path& file, int flags,
                    const std::string& vfs, bool immutable = false);
  void set_busy_timeout(std::chrono::milliseconds timeout) {
    sqlite3_busy_timeout(handle_.get(), static_cast<int>(timeout.count()));
  }
  Result<void> exec(const char* sql);
  Result<Statement> prepare(const char* sql);
  struct ToPrepare {
    Statement* statement;
    const char* sql;
  };
  /// What is always right, so that a failure means that the file has not the tables of its format.
  Result<void> prepare_all(std::span<const ToPrepare> statements);
  /// The first column of the first row, as a number or as text; 0 or empty if there is no row.
  Result<std::int64_t> number(const char* sql);
  Result<std::string> text(const char* sql);
  std::int64_t last_inserted_row() const { return sqlite3_last_insert_rowid(handle_.get()); }
  bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

  /// What SQLite's result `code` means for us: corrupt, disk, busy or internal; names the file and the way
  /// out.
  Error error(int code) const;
  Error damaged(std::string_view how) const;

 private:
  friend class BlobWriter;
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  FileKind kind_;
  std::filesystem::path file_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// Overwrites a row's BLOB in place, piece by piece from its start on; the size stays as it is. Long ones
/// need no copy in memory then, and no new pages of the file. Dies before its Database.
class BlobWriter {
 public:
  Result<void> open(Database& database, const char* table, const char* column, std::int64_t row);
  /// Not beyond its end.
  Result<void> write(std::string_view bytes);

 private:
  struct Close {
    void operator()(sqlite3_blob* blob) const { sqlite3_blob_close(blob); }
  };
  Database* database_ = nullptr;
  std::unique_ptr<sqlite3_blob, Close> blob_;
  int written_ = 0;
};

/// Rolls back unless it was committed.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    // SQLite has already rolled back by itself after some errors, such as a full disk.
    if (database_.in_transaction()) (void)database_.exec("ROLLBACK");
  }
  /// Takes the right to write at once, so that no later statement can find the file locked.
  Result<void> begin_write() { return database_.exec("BEGIN IMMEDIATE"); }
  /// All reads until the end see one state.
  Result<void> begin_read() { return database_.exec("BEGIN"); }
  Result<void> commit() { return database_.exec("COMMIT"); }

 private:
  Database& database_;
};

}  // namespace messina::state
