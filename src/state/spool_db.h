// The spool's RocksDB: its options, its merging, its errors. Private to this room, and without RocksDB's
// headers.
//
//   default   id, format, counters, domain, touches, "shard/…" positions and "touched/…" keys
//   entries   key → entry (state/spool_entry.h), put by merging
//   queue     epoch, generation → a key that was put then: the order of work
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/error.h"
#include "state/spool.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Status;
}  // namespace rocksdb

namespace messina::state {

class SpoolDb {
 public:
  /// `barrier`: images put before it are marks; merging and compaction make them so for good. It may be
  /// raised while the database is open, once it is durable.
  static Result<std::unique_ptr<SpoolDb>> open(const std::filesystem::path& folder,
                                               const SpoolOptions& options,
                                               std::shared_ptr<const std::atomic<Generation>> barrier);
  ~SpoolDb();
  SpoolDb(const SpoolDb&) = delete;
  SpoolDb& operator=(const SpoolDb&) = delete;

  rocksdb::DB& operator*() const { return *db_; }
  rocksdb::DB* operator->() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* meta() const { return handles_[0]; }
  rocksdb::ColumnFamilyHandle* entries() const { return handles_[1]; }
  rocksdb::ColumnFamilyHandle* queue() const { return handles_[2]; }

  /// Rewrites all entries, so that those behind the barrier lose their images; takes as long as it takes, and
  /// ends early when `stop` is set.
  void compact_entries(std::atomic<bool>& stop);

 private:
  SpoolDb();
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

/// Names the spool, the cause and the way out. kSpoolFull for a full disk, corrupt for damage, else disk.
Error spool_error(const std::filesystem::path& folder, const rocksdb::Status& status);
Error spool_full_error(const std::filesystem::path& folder, std::uint64_t free_bytes, std::uint64_t reserve);

}  // namespace messina::state
