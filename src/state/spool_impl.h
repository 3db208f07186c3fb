// The spool's innards, shared by its parts: spool.cc (opening), spool_write.cc and spool_read.cc. Private to
// them, and without RocksDB's headers.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <vector>

#include "state/spool.h"
#include "state/spool_db.h"
#include "state/spool_desk.h"
#include "state/spool_records.h"

namespace rocksdb {
class Iterator;
class WriteBatch;
struct ReadOptions;
}  // namespace rocksdb

namespace messina::state {

/// Bytes put after which the disk is asked again how much it has left.
inline constexpr std::uint64_t kAskDiskEvery = 16u << 20;

struct Spool::Impl {
  Impl(std::filesystem::path in_folder, SpoolOptions in_options, const Clock& in_clock);
  ~Impl();

  const std::filesystem::path folder;
  const SpoolOptions options;
  const Clock& clock;
  Incarnation incarnation;
  const std::shared_ptr<std::atomic<Generation>> barrier = std::make_shared<std::atomic<Generation>>(0);
  SpoolDesk desk;

  /// Exclusive only while the database is opened anew.
  mutable std::shared_mutex db_mutex;
  std::unique_ptr<SpoolDb> db;

  mutable std::mutex published_mutex;  // of what follows
  std::string id;
  SpoolCounters published;  ///< as of the last commit
  std::string domain;
  bool keeps_touches = false;
  std::atomic<bool> full = false;
  /// Of the newest put that told no time; as far as is known: what lay there when it was opened may be such.
  std::atomic<Generation> newest_undated = 0;

  // The writer's.
  SpoolCounters counters;
  QueuedKeys queued_keys;
  const std::unique_ptr<rocksdb::WriteBatch> batch;
  std::string scratch;
  bool broken = false;            ///< the database refuses to write until it is opened anew
  bool touches_in_doubt = false;  ///< a step that was to change whether they are kept has failed
  std::uint64_t put_since_asked = kAskDiskEvery;
  MonoTime asked{};
  struct Rewrite {
    Rewrite();
    ~Rewrite();
    std::unique_ptr<rocksdb::Iterator> entries;
    std::uint32_t epoch = 0;  ///< of the new records
    std::uint64_t records = 0;
  };
  std::optional<Rewrite> rewrite;
  std::uint32_t first_epoch = 0;   ///< no records of epochs before it are left
  std::uint64_t live_records = 0;  ///< of the present epoch, since the rewrite began
  std::uint64_t counted = 0;       ///< entries, as the last rewrite found them

  std::thread reclaimer;
  std::atomic<bool> reclaiming = false, stop_reclaim = false;

  // The reader's.
  std::uint64_t average_bytes = 1024;  ///< of an entry

  Result<void> open(Random& random);
  Result<void> open_db();
  Result<void> reopen();
  Error error(const rocksdb::Status& status) const { return spool_error(folder, status); }

  // ---------------------------------------------------------------- writing
  struct Step {
    SpoolCounters next;
    std::string domain;
    bool keeps_touches = false;
    bool changes_touches = false;  ///< whether they are kept, or since when
    bool synced = false;
    bool counts = true;  ///< for the stamp, if it is synced
    std::vector<SpoolDesk::Gone> gone;
    std::unordered_set<std::string_view> settled_keys;
    std::uint32_t forget_before = 0;  ///< epoch up to which the step deletes the queue
  };
  Result<void> has_room_for_puts();
  Result<void> add_settled(Step& step, const Settle& call);
  void add_change_of_images(Step& step, const Call& call);
  void add_puts(Step& step, Put& call);
  void change_touches(Step& step, bool keep);
  void put_touches_record();
  Result<void> add_forgotten(std::span<Call* const> calls);
  void add_record(Step& step, const QueueRecord& record, Generation generation);
  void drop_record(Step& step, Place place);
  Result<void> write(Step& step);
  void abandon();
  void advance_rewrite(Step& step);
  bool rewrite_is_due() const {
    return !rewrite && counters.records >= std::max(options.rewrite_queue_from, 2 * counted);
  }
  void commit(std::span<Call* const> calls);

  // ---------------------------------------------------------------- reading
  Result<std::size_t> read_queue(const TakeRequest& request);
  Result<bool> deliver(const SpoolDesk::Candidates& candidates, const TakeRequest& request,
                       std::size_t& bytes, Taken& taken);
  Result<Taken> take(const TakeRequest& request);
  std::optional<std::int64_t> oldest_change() const;
  Result<Generation> touched(const std::string& key, const rocksdb::ReadOptions& how) const;
  SpoolCounters counters_now() const {
    const std::lock_guard lock(published_mutex);
    return published;
  }
  Result<std::shared_lock<std::shared_mutex>> reading() const;
  void stop_reclaiming();
};

}  // namespace messina::state
