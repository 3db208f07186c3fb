#include "state/spool_db.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/slice.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include "state/spool_entry.h"

namespace messina::state {

struct SpoolMemory::Parts {
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> buffers;
  std::uint64_t bytes = 0;
};

SpoolMemory::SpoolMemory(std::uint64_t bytes) : parts_(std::make_unique<Parts>()) {
  constexpr std::uint64_t kLeast = 16u << 20;
  parts_->bytes = std::max(bytes, kLeast);
  parts_->cache = rocksdb::NewLRUCache(parts_->bytes / 4);
  parts_->buffers = std::make_shared<rocksdb::WriteBufferManager>(parts_->bytes / 4 * 3);
}

SpoolMemory::~SpoolMemory() = default;

namespace {

using Barrier = std::shared_ptr<const std::atomic<Generation>>;

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

/// Merges a key's puts. A value and a put have one form, so parts can be merged ahead of the rest.
class MergeEntries final : public rocksdb::MergeOperator {
 public:
  explicit MergeEntries(Barrier barrier) : barrier_(std::move(barrier)) {}
  const char* Name() const override { return "messina.spool.entry.1"; }
  bool AllowSingleOperand() const override { return true; }

  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    std::optional<EntryView> sum;
    if (in.existing_value != nullptr && !add(sum, *in.existing_value)) return false;
    for (const rocksdb::Slice& operand : in.operand_list) {
      if (!add(sum, operand)) return false;
    }
    if (!sum) return false;
    out->new_value.clear();  // an iterator hands its last value in
    out->new_value.reserve(sum->image ? sum->image->bytes.size() + kMostBeside : kMostBeside);
    encode(behind_barrier(*sum, barrier_->load(std::memory_order_relaxed)), out->new_value);
    return true;
  }

  bool PartialMergeMulti(const rocksdb::Slice&, const std::deque<rocksdb::Slice>& operands,
                         std::string* new_value, rocksdb::Logger*) const override {
    std::optional<EntryView> sum;
    for (const rocksdb::Slice& operand : operands) {
      if (!add(sum, operand)) return false;
    }
    new_value->clear();
    encode(*sum, *new_value);
    return true;
  }

 private:
  static constexpr std::size_t kMostBeside = 128;  ///< of an entry, beside the image's bytes
  static bool add(std::optional<EntryView>& sum, const rocksdb::Slice& bytes) {
    const auto entry = decode(view(bytes));
    if (entry) sum = sum ? merged(*sum, *entry) : *entry;
    return entry.has_value();
  }
  Barrier barrier_;
};

/// Drops images that became marks, as compactions come by them.
class DropOldImages final : public rocksdb::CompactionFilter {
 public:
  explicit DropOldImages(Barrier barrier) : barrier_(std::move(barrier)) {}
  const char* Name() const override { return "messina.spool.old-images"; }

  Decision FilterV2(int, const rocksdb::Slice&, ValueType type, const rocksdb::Slice& value,
                    std::string* new_value, std::string*) const override {
    const Generation barrier = barrier_->load(std::memory_order_relaxed);
    if (type != ValueType::kValue || barrier == 0) return Decision::kKeep;
    const auto entry = decode(view(value));
    if (!entry || !entry->image) return Decision::kKeep;
    const EntryView after = behind_barrier(*entry, barrier);
    if (after.image) return Decision::kKeep;
    new_value->clear();
    encode(after, *new_value);
    return Decision::kChangeValue;
  }

 private:
  Barrier barrier_;
};

/// LZ4 where the library has it: items are text, and it costs less than writing what it saves.
rocksdb::CompressionType compression() {
  const auto known = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::ranges::find(known, rocksdb::kLZ4Compression) != known.end();
  return lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

rocksdb::BlockBasedTableOptions table_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 4 * 1024;  // of few images, as they are read one by one
  // With 20 GB the index and the filters would be larger than the cache: they are cut into pieces that come
  // and go like blocks.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  return table;
}

rocksdb::ColumnFamilyOptions family_options(const SpoolMemory::Parts& memory, std::uint64_t write_buffer) {
  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(memory.cache)));
  family.write_buffer_size = write_buffer;
  family.max_write_buffer_number = 3;
  family.compression = compression();
  // The buffers are small, so it takes more of them to make a compaction worth its while.
  family.level0_file_num_compaction_trigger = 8;
  family.level0_slowdown_writes_trigger = 32;
  family.level0_stop_writes_trigger = 48;
  family.level_compaction_dynamic_level_bytes = true;
  return family;
}

rocksdb::DBOptions db_options(const SpoolMemory::Parts& memory, rocksdb::Env* env) {
  rocksdb::DBOptions db;
  if (env != nullptr) db.env = env;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.max_background_jobs = 2;  // one thread flushes, one compacts: the cores are for moving data
  db.max_open_files = 512;
  db.write_buffer_manager = memory.buffers;
  db.max_total_wal_size = 2 * memory.bytes;
  db.bytes_per_sync = 1u << 20;
  // Compactions of a large spool read from the disk, not from the page cache.
  db.compaction_readahead_size = 2u << 20;
  db.avoid_unnecessary_blocking_io = true;
  // Its own log: small, and without contents of items.
  db.info_log_level = rocksdb::WARN_LEVEL;
  db.max_log_file_size = 1u << 20;
  db.keep_log_file_num = 2;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

}  // namespace

Result<std::unique_ptr<SpoolDb>> SpoolDb::open(const std::filesystem::path& folder,
                                               const SpoolOptions& options, Barrier barrier) {
  const SpoolMemory::Parts& memory = options.memory->parts();
  // Three buffers of entries at most: one is written to while two wait for the disk.
  rocksdb::ColumnFamilyOptions entries =
      family_options(memory, std::min<std::uint64_t>(memory.bytes / 4, 64u << 20));
  // What is looked up is nearly always there, and mostly not in memory any more: no filters for the last
  // level, which has most of the data, but one for the buffers.
  entries.optimize_filters_for_hits = true;
  entries.memtable_whole_key_filtering = true;
  entries.memtable_prefix_bloom_size_ratio = 0.02;
  entries.merge_operator = std::make_shared<MergeEntries>(barrier);
  // Stateless but for the barrier, so all compactions may share one; it lives as long as the database.
  class Filters final : public rocksdb::CompactionFilterFactory {
   public:
    explicit Filters(Barrier barrier) : barrier_(std::move(barrier)) {}
    const char* Name() const override { return "messina.spool.filters"; }
    std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
        const rocksdb::CompactionFilter::Context&) override {
      return std::make_unique<DropOldImages>(barrier_);
    }

   private:
    Barrier barrier_;
  };
  entries.compaction_filter_factory = std::make_shared<Filters>(barrier);

  const std::vector<rocksdb::ColumnFamilyDescriptor> families{
      {rocksdb::kDefaultColumnFamilyName, family_options(memory, 1u << 20)},
      {"entries", entries},
      {"queue", family_options(memory, std::min<std::uint64_t>(memory.bytes / 16, 8u << 20))}};
  std::unique_ptr<SpoolDb> db(new SpoolDb);
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(db_options(memory, options.env), (folder / "db").string(),
                                                   families, &db->handles_, &opened);
  db->db_.reset(opened);
  if (!status.ok()) return fail(spool_error(folder, status));
  return db;
}

SpoolDb::SpoolDb() = default;

SpoolDb::~SpoolDb() {
  if (db_ == nullptr) return;
  rocksdb::CancelAllBackgroundWork(db_.get(), /*wait=*/true);
  for (rocksdb::ColumnFamilyHandle* handle : handles_)
    db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  db_->Close().PermitUncheckedError();
}

void SpoolDb::compact_entries(std::atomic<bool>& stop) {
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  options.canceled = &stop;
  // What fails here fails again, and is told, at the next write.
  db_->CompactRange(options, entries(), nullptr, nullptr).PermitUncheckedError();
}

Error spool_error(const std::filesystem::path& folder, const rocksdb::Status& status) {
  if (status.IsNoSpace()) {
    return {
        ErrorKind::disk,
        fmt::format("the disk of spool \"{}\" is full: capture waits; make room, and it goes on by itself",
                    folder.string()),
        kSpoolFull};
  }
  if (status.IsCorruption() || status.IsInvalidArgument()) {
    return {ErrorKind::corrupt,
            fmt::format("spool \"{}\" is damaged ({}): move it aside; messina then takes what it held for "
                        "missed, and heals that by migrate --heal",
                        folder.string(), status.ToString())};
  }
  return {ErrorKind::disk,
          fmt::format("spool \"{}\" cannot be read or written ({}): check the disk and its permissions, or "
                      "choose another place with --state",
                      folder.string(), status.ToString())};
}

Error spool_full_error(const std::filesystem::path& folder, std::uint64_t free_bytes, std::uint64_t reserve) {
  return {
      ErrorKind::disk,
      fmt::format("the disk of spool \"{}\" has {} MiB left, and {} are kept for the work that empties it: "
                  "capture waits; make room, and it goes on by itself",
                  folder.string(), free_bytes >> 20, reserve >> 20),
      kSpoolFull};
}

}  // namespace messina::state
