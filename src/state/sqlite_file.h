// Opening and making the SQLite files of a migration's folder; private to this room.
#pragma once
#include <filesystem>

#include "base/error.h"
#include "state/file_options.h"
#include "state/sqlite.h"

namespace messina::state {

/// Opens a file that is there, of the present or an older format, or makes it without tables (read_write
/// only). True if it has no tables yet: the caller makes them and calls mark_format(), in one transaction.
/// Errors: disk, corrupt, needs_person (newer format), not_found (read_only and missing or empty), busy.
Result<bool> open_file(Database& db, const FileKind& kind, const std::filesystem::path& file,
                       const FileOptions& options);

/// Says in the file that it is of this kind and of the present format.
Result<void> mark_format(Database& db, const FileKind& kind);

}  // namespace messina::state
