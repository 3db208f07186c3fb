// The spool on disk: RocksDB in a folder of its own.
//
//   <migration>/spool/   0700; holds item contents
//     FORMAT             text: the version of all that is in it
//     db/                RocksDB
//
// Never called on an event loop: DiskSpool (state/disk_spool.h) has threads for it. src/state/README.md has
// the records.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "state/spool_store.h"

namespace rocksdb {
class Env;
}

namespace messina::state {

/// Version of the spool's format. A newer one is refused (needs_person).
inline constexpr int kSpoolFormat = 1;

/// Memory that spools share: a quarter RocksDB's block cache, the rest its write buffers. Thread-safe.
class SpoolMemory {
 public:
  static constexpr std::uint64_t kDefaultBytes = 128u << 20;
  /// At least 16 MiB; less is taken as that.
  explicit SpoolMemory(std::uint64_t bytes = kDefaultBytes);
  ~SpoolMemory();
  struct Parts;
  const Parts& parts() const { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

struct SpoolOptions {
  std::shared_ptr<SpoolMemory> memory = {};  ///< null: of its own, SpoolMemory::kDefaultBytes
  /// Disk space that is left alone: for the ledger, and for what RocksDB must write to get rid of entries.
  /// Puts are refused (kSpoolFull) while less is free.
  std::uint64_t reserve_bytes = 256u << 20;
  /// Bytes that the file system of a folder has left for this user; the default asks it.
  std::function<Result<std::uint64_t>(const std::filesystem::path&)> free_bytes = {};
  rocksdb::Env* env =
      nullptr;  ///< of RocksDB; null: the machine's. Tests put theirs here. It outlives the spool.
  /// The queue is rewritten when it has this many records and twice as many as entries were counted.
  std::uint64_t rewrite_queue_from = 4'000'000;
  /// So many touches are forgotten as a range. Each range is looked at by what reads the others, until
  /// RocksDB writes its memory out, which the touches themselves must bring about before there are too many.
  std::size_t forget_as_range_from = 200;
};

/// One spool. commit() and open() belong to one thread, take() and the other reads to one (the same, or
/// another); stamp() and release() may be called from any.
class Spool {
 public:
  /// Makes it if it is missing; its parent folder must exist. Errors: disk (kSpoolFull too), corrupt,
  /// needs_person (newer format). Durably counts the process's opening. `clock` outlives the spool.
  static Result<std::unique_ptr<Spool>> open(const std::filesystem::path& folder, const SpoolOptions& options,
                                             const Clock& clock, Random& random);
  ~Spool();

  struct Put {
    const SpoolBatch* batch = nullptr;
    PutAnswer answer = {};
  };
  struct Settle {
    const std::vector<Settled>* written = nullptr;
  };
  /// Images put before are marks.
  struct Barrier {
    Generation before = 0;  ///< 0: all that were put before this call, whose generation is a new one
  };
  struct Domain {
    std::string name;
  };
  /// The touches that there are go in any case.
  struct KeepTouches {
    bool keep = true;  ///< from now on
  };
  struct ForgetTouches {
    const std::vector<Touch>* judged = nullptr;
  };
  struct Call {
    std::variant<Put, Settle, Barrier, Domain, KeepTouches, ForgetTouches> what;
    Result<void> result = {};
  };
  /// Makes all calls one atomic step, synced if any of them asks for it, and gives each its result. What a
  /// full disk has no room for is refused call by call; any other error is everybody's, nothing of the step
  /// counts, and the next one tries the disk anew.
  void commit(std::span<Call* const> calls);
  /// True while commit() without calls has something to do: dead records of the queue, a rewrite of it.
  bool has_chores() const;

  Result<Taken> take(const TakeRequest& request);
  void release(std::span<const std::string> keys);
  SpoolStamp stamp() const;
  Result<std::vector<ShardPosition>> positions() const;
  std::string domain() const;
  Result<SpoolFigures> figures() const;
  bool keeps_touches() const;
  Result<std::vector<Touch>> touches(const std::string& after, std::size_t most) const;
  Result<std::vector<KeyStand>> look_up(const std::vector<std::string>& keys) const;
  /// What reduce_to(max_bytes) is to do: a barrier (0: nothing) and at most how many images that reduces.
  struct Reduction {
    Generation before = 0;
    Reduced reduced;
  };
  Result<Reduction> plan_reduction(std::uint64_t max_bytes) const;
  /// Gives the disk space of reduced images back, in the background. A call while that goes on does nothing.
  void reclaim();

 private:
  struct Impl;
  explicit Spool(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace messina::state
