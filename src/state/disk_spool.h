// The spool behind the jobs' interface, on two threads of its own.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "state/await_call.h"
#include "state/spool.h"
#include "state/spool_store.h"

namespace messina::state {

/// Runs a Spool's calls on two threads, so that no event loop ever waits for a disk: one writes and syncs,
/// one reads, as a read of a large spool waits for the disk too. What several callers put meanwhile is one
/// group with one sync, and everyone is answered after it.
///
/// Destruction runs the calls that were accepted, hands their results to the waiting coroutines' executors
/// and joins the threads; those executors must still be there.
class DiskSpool final : public SpoolStore {
 public:
  /// Calls of each thread that may wait; one beyond is answered `busy`.
  static constexpr std::size_t kMaxQueued = 4096;
  /// A group is closed at this many bytes; one call alone may have more.
  static constexpr std::size_t kGroupBytes = 4u << 20;
  /// A group that has something to sync and less than this waits for more, this long: a sync costs as much
  /// for one event as for a thousand.
  static constexpr std::size_t kSmallGroupBytes = 256u << 10;
  static constexpr std::chrono::milliseconds kGroupWait{2};

  /// `clock` measures the commits, from the writing thread; it outlives the store.
  DiskSpool(std::unique_ptr<Spool> spool, const Clock& clock);
  ~DiskSpool() override;
  DiskSpool(const DiskSpool&) = delete;
  DiskSpool& operator=(const DiskSpool&) = delete;

  SpoolStamp stamp() const override { return spool_->stamp(); }
  Task<Result<std::vector<ShardPosition>>> positions() override;
  Task<Result<std::string>> domain() override;
  Task<Result<PutAnswer>> put(const SpoolBatch& batch) override;
  Task<Result<Taken>> take(const TakeRequest& request) override;
  Task<Result<void>> settle(const std::vector<Settled>& written) override;
  void release(std::span<const std::string> keys) override { spool_->release(keys); }
  Task<Result<void>> declare_gap() override;
  Task<Result<void>> begin_domain(const std::string& domain) override;
  Task<Result<Reduced>> reduce_to(std::uint64_t max_bytes) override;
  Task<Result<SpoolFigures>> figures() override;
  Task<Result<void>> keep_touches() override;
  Task<Result<void>> drop_touches() override;
  Task<Result<bool>> keeps_touches() override;
  Task<Result<std::vector<Touch>>> touches(const std::string& after, std::size_t most) override;
  Task<Result<void>> forget_touches(const std::vector<Touch>& judged) override;
  Task<Result<std::vector<KeyStand>>> look_up(const std::vector<std::string>& keys) override;

  struct Stats {
    std::uint64_t groups = 0, calls = 0;  ///< written
    Duration write_sum{}, write_max{};    ///< time of a group, waiting for the disk included
    std::chrono::nanoseconds cpu{};       ///< of both threads
  };
  Stats stats() const;

 private:
  struct Write {
    Spool::Call call;
    std::size_t bytes = 0;
    bool synced = false;
    std::move_only_function<void(Spool::Call&)> answer;
  };
  using Read = std::move_only_function<void(Spool&)>;

  Task<Result<Spool::Call>> write(Spool::Call call, std::size_t bytes, bool synced);
  template <class T, class Call>
  Task<Result<T>> read(Call call);
  std::vector<Write> next_group();
  void serve_writes();
  void serve_reads();

  const std::unique_ptr<Spool> spool_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable write_wake_, read_wake_;
  std::deque<Write> writes_;
  std::size_t waiting_bytes_ = 0;
  std::size_t waiting_syncs_ = 0;
  std::deque<Read> reads_;
  bool ending_ = false;
  Stats stats_;
  std::thread writer_, reader_;  // last: they use all of the above
};

}  // namespace messina::state
