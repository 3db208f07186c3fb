// The inside of a verification's file; private to src/state/verify_ledger*.cc.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "state/sqlite.h"
#include "state/verify_ledger.h"
#include "state/verify_notes.h"

namespace messina::state {

struct VerifyLedger::Impl {
  /// What the last commit left that would take long to read again each time.
  struct Known {
    item::KeyDigest source{0}, target{0};
    std::uint64_t journal_bytes = 0;  ///< at most
    NoteCounts notes{};
  };

  std::filesystem::path file;
  bool read_only = false;
  std::uint64_t journal_limit = kJournalBytes;
  Database db;
  Statement select_record, update_record;
  Statement select_units, insert_unit, update_unit;
  Statement select_note, select_verdict, select_keys, select_groups, count_notes, replace_note, delete_note;
  Statement select_digests, select_digest_row, replace_digest, select_hashes, insert_hashes, delete_hashes;
  std::optional<Known> known;

  Result<void> open(const FileOptions& options);

  /// nullopt when nothing was begun.
  Result<std::optional<std::string>> record();
  Result<std::vector<VerifyUnit>> units();
  /// Fills `known` if it is empty. Something was begun.
  Result<void> know();
  /// The note of a key; without the raw items, they are empty.
  Result<std::optional<KeyNote>> find_note(const std::string& key, bool items);

  Result<void> store_unit(const VerifyUnit& unit);
  Result<void> store_step(const VerifyCommit::UnitStep& step);
  /// Takes along what it changes in the known counts.
  Result<void> store_note(const KeyNote& note);
  /// Writes both digests and forgets the journal.
  Result<void> store_digests(const item::KeyDigest& source, const item::KeyDigest& target);
  Result<NoteCounts> commit(const VerifyCommit& step);

 private:
  /// Appends to the journal, or writes a side's digest where that is shorter.
  Result<void> store_hashes(const VerifyCommit& step);
  Result<void> store_digest(std::string_view side, const item::KeyDigest& digest);
  Result<void> create();
  Result<void> prepare_statements();
  Result<void> append(std::string_view side, const std::vector<Uint128>& hashes);
};

}  // namespace messina::state
