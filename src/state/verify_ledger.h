// The file of a migration's last verification: `verification.db` in the migration's folder (state/ledger.h).
//
// A digest takes up to 24 MiB in the file, too much to write at each commit. So a commit appends the hashes
// of its keys to a journal, in the same transaction as the cursors that they belong to; when the journal has
// grown long, or a commit's hashes of a side are more bytes than its digest or added up already, it is folded
// into the digests' checkpoint. The digests are the checkpoint and the journal.
//
// Never called on an event loop: VerifyLedgerStore (state/verify_ledger_store.h) has a thread for it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "state/file_options.h"
#include "state/verify_store.h"

namespace messina::state {

/// Version of the file's format. A newer one is refused (needs_person).
inline constexpr int kVerificationFormat = 1;

/// Whoever opens it read_write holds the MigrationLock; read-only handles work beside a running job.
/// Thread-compatible: one thread at a time. The calls are those of VerifyStore.
class VerifyLedger {
 public:
  /// So long may the journal grow before it is folded: longer than both digests at their largest, so that no
  /// more is written for checkpoints than for hashes.
  static constexpr std::uint64_t kJournalBytes = 64u << 20;

  /// Makes the file if it is missing (read_write only). Errors are those of Ledger::open(). After an error of
  /// any later call the file stands at its last commit and can be used on.
  static Result<std::unique_ptr<VerifyLedger>> open(const std::filesystem::path& folder,
                                                    const FileOptions& options,
                                                    std::uint64_t journal_bytes = kJournalBytes);
  ~VerifyLedger();

  Result<std::optional<VerifyState>> load();
  Result<void> begin(const VerifyState& fresh);
  Result<NoteCounts> commit(const VerifyCommit& step);
  Result<std::vector<KeyNote>> notes(const NoteFilter& filter);
  Result<std::optional<KeyNote>> note(const std::string& key);
  Result<std::vector<NoteGroup>> groups();

 private:
  struct Impl;
  explicit VerifyLedger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace messina::state
