// The ledger: SQLite files in the state directory, one folder per migration.
//
//   STATE/                     0700; holds item contents (rejects)
//     README                   says so
//     <name>-<hash>/           one migration; the hash is of source, target and tables
//       lock                   held (flock) by the process that runs it; JSON: host, pid, since
//       control.sock           of that process, for its commands (src/cli/watch.h)
//       plan.json, end.json    the plan; how the last run ended, if with an error (src/cli/migrations.h)
//       ledger.db              SQLite, WAL, synchronous=FULL
//       verification.db        so too; what the last verification found (state/verify_ledger.h)
//
// Never called on an event loop: LedgerStore (state/ledger_store.h) has a thread for it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "state/file_options.h"
#include "state/job_store.h"

namespace messina::state {

/// Version of the ledger's format. A newer one is refused (needs_person), an older one is migrated in place.
inline constexpr int kLedgerFormat = 3;

struct MigrationName {
  std::string source;  ///< canonical URI of the source without options
  std::string target;
};

/// Folder of a migration below the state directory: readable and unique.
std::string migration_folder(const MigrationName& name);

struct LockHolder {
  std::string host;
  std::int64_t pid = 0;
  std::string since;  ///< ISO 8601, UTC
};

/// The exclusive right to run one migration, by flock() on its lock file. Both that and SQLite's WAL need a
/// file system that is local to the host: on NFS, flock() depends on the server and the mount, and two hosts
/// cannot share a WAL. Released when it dies, and by the kernel when the process does.
class MigrationLock {
 public:
  /// needs_person if another process has it, naming host, pid and since; disk if the state cannot be written.
  /// Makes the folder if it is missing (0700); its parent must exist.
  static Result<MigrationLock> acquire(const std::filesystem::path& folder, const Clock& clock);
  /// Who holds it now; nullopt if nobody does.
  static std::optional<LockHolder> holder(const std::filesystem::path& folder);
  MigrationLock(MigrationLock&&) noexcept;
  MigrationLock& operator=(MigrationLock&&) noexcept;
  ~MigrationLock();

 private:
  explicit MigrationLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

/// One migration's ledger file. Whoever opens it read_write holds the MigrationLock; read-only handles work
/// beside a running job. Thread-compatible: one thread at a time.
class Ledger {
 public:
  using Options = FileOptions;
  /// Makes the file if it is missing (read_write only). Errors: disk (full, unreadable), corrupt (damaged
  /// file: names the file and the way out), needs_person (newer format), not_found (read_only and missing
  /// or empty), busy (another program locks it). After an error of any later call the ledger stands at its
  /// last commit and can be used on. quick_check runs only where the last end was unclean.
  static Result<std::unique_ptr<Ledger>> open(const std::filesystem::path& folder, const Options& options);
  ~Ledger();

  Result<std::optional<JobState>> load();
  Result<void> begin(const JobState& fresh);
  /// What a job that is not begun yet has of an authority: an owner that a target made for it may carry
  /// already (PROTOCOL rule 20, the ledger first). An empty owner where there is none.
  Result<Authority> reserved_authority();
  /// Of use only while there is no job; begin() leaves it in the live record.
  Result<void> reserve_authority(const Authority& authority);
  Result<void> commit(const Commit& step);
  Result<std::vector<std::string>> live_reject_keys();

  using RejectFilter = state::RejectFilter;
  Result<std::vector<Reject>> rejects(const RejectFilter& filter);
  /// Marks rejects as written by a later attempt and moves them in the counts from rejected to written. Ids
  /// that are unknown or settled already are passed over.
  Result<void> settle_rejects(const std::vector<std::uint64_t>& ids);
  /// Records a new reason for a reject that was refused again. not_found if there is none with this id.
  Result<void> update_reject(std::uint64_t id, const std::string& reason, const std::string& code,
                             std::int64_t at_unix_ms);

 private:
  struct Impl;
  explicit Ledger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Folders of all migrations in a state directory, by name. not_found if there is no such directory.
Result<std::vector<std::filesystem::path>> list_migrations(const std::filesystem::path& state_dir);
/// Makes the state directory (0700, with its README) if it is missing.
Result<void> prepare_state_dir(const std::filesystem::path& state_dir);

}  // namespace messina::state
