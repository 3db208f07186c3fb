// What the coroutines of one running copy share.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "jobs/authority.h"
#include "jobs/budgets.h"
#include "jobs/copy.h"
#include "jobs/copy_internal.h"
#include "jobs/recorder.h"
#include "jobs/task_group.h"
#include "jobs/trouble.h"
#include "jobs/unit_queue.h"
#include "pace/hot_pause.h"
#include "pace/speed_holder.h"

namespace messina::jobs {

/// How many coroutines wait for what right now; sampled by the job's tick. Thread-safe.
class Waits {
 public:
  class Guard {
   public:
    Guard(Waits& waits, pace::SpeedHolder holder) : count_(&waits.of(holder)) { ++*count_; }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { --*count_; }

   private:
    std::atomic<std::int64_t>* count_;
  };
  std::atomic<std::int64_t>& of(pace::SpeedHolder holder) {
    return counts_[static_cast<std::size_t>(holder)];
  }

 private:
  std::array<std::atomic<std::int64_t>, pace::kSpeedHolders> counts_{};
};

/// A running copy. Held by a shared_ptr in every coroutine of it, since a loop that dies destroys them in any
/// order.
struct CopyRun {
  CopyRun(CopyContext& job_context, const CopyOptions& job_options, const CopyTuning& job_tuning);

  CopyContext& context;
  const CopyOptions& options;
  const CopyTuning& tuning;
  const MonoTime started;

  /// A stop by the user or by an error: workers end at their next page boundary.
  Stop halt;
  /// Keeps the first error, and halts. What is in flight is finished; nothing new is sent.
  void fail_with(Error error);
  std::optional<Error> failure() const;
  bool failed() const { return failed_; }

  AsyncSemaphore own_memory;
  /// Bytes of pages, from asking for one until its last record is settled; the shared ones where there are.
  AsyncSemaphore& memory;
  Permits permits;         ///< write() calls on the wire
  WriteLimit write_limit;  ///< sets their number
  ReadBudget own_reads;
  ReadBudget& read_budget;  ///< shared with a companion, if there is one
  WriteBudget write_budget;
  std::atomic<bool> paused{false};  ///< no page and no batch is begun
  Recorder recorder;
  std::optional<UnitQueue> units;  ///< set once the job's state is known, as are the following
  state::JobIdentity pinned;
  /// Under which everything is written. A unit by itself has none: whoever gave it out has.
  state::Authority authority;
  item::KeySchema source_key, target_key;
  Waits waits;

  /// Bytes to lease for a page that is asked for: by the largest recent one.
  std::int64_t page_lease() const { return page_lease_; }
  /// Bytes to lease for a page that was received, its write buffers included; learns the next estimate from
  /// it.
  std::int64_t lease_for(const Slab& page);

  /// PROTOCOL rule 3's other side: nothing is sent to an unstamped target after this time.
  std::atomic<MonoTime> send_until{MonoTime{}};
  /// Of the target's; a companion's, if there is one.
  Sight own_sight;
  Sight& owner;
  /// Of the two the sooner (rules 3 and 20).
  MonoTime may_send_until() const { return std::min(send_until.load(), owner.counts_until(kOwnerSeenLasts)); }

  std::atomic<std::uint64_t> acknowledged{0};      ///< write() calls that were acknowledged whole
  std::atomic<std::uint64_t> unknown_outcomes{0};  ///< batches that wait out rule 1
  std::atomic<std::int64_t> unsettled_batches{0};  ///< begun, and neither settled nor given up
  std::atomic<bool> left_unknown{false};           ///< a stop left one behind
  std::atomic<std::uint64_t> retries{0}, throttles{0};
  std::atomic<std::uint64_t> source_throttles{0}, target_throttles{0};  ///< of tables and accounts
  std::atomic<std::int64_t> hot_unit{-1};  ///< the unit whose key range was throttled last

  /// What went wrong last and is being tried again, for the status; empty if nothing did for a while (while
  /// writes wait out rule 1: for longer than that takes).
  void note_trouble(const Error& error, MonoTime now) { trouble_.note(error, now); }
  std::string recent_trouble(MonoTime now) const;

  /// Wakes everything that waits for room, so that a job that is torn down leaves nobody waiting in its
  /// semaphores.
  void release_all();

 private:
  mutable std::mutex mutex_;
  std::optional<Error> failure_;
  Trouble trouble_;
  std::atomic<bool> failed_{false};
  std::atomic<std::int64_t> page_lease_;
};

/// Ends the job by what a side answered for good; "no such table" is looked into first (copy_start.cc).
Task<void> end_by(std::shared_ptr<CopyRun> run, Lane& lane, Error error);

/// Lets everybody go when the job's own frame dies, in whatever order its loop destroys the others.
struct Teardown {
  std::shared_ptr<CopyRun> run;
  ~Teardown() { run->release_all(); }
};

/// One unit at work. All its coroutines run on one lane.
struct UnitWork {
  std::size_t index = 0;
  endpoints::Unit unit;
  Lane* lane = nullptr;
  Random random{0};
  /// Set by a throttled key range: this unit, and no other, pauses.
  MonoTime paused_until{};
  /// The same for its reads, as adaptive as can be.
  pace::HotPause hot;
  MonoTime read_not_before{};
  /// Items of a page at most, after one became stale: so many are written in time. 0: as many as come.
  std::uint32_t most_items = 0;
};

/// A page's place in the watermark, from before it is asked for; does nothing without a companion. Whoever
/// ends without acknowledged() or dropped() (a halted job, a crash) leaves the page unfinished.
class PageMark {
 public:
  PageMark() = default;
  PageMark(Companion* companion, MonoTime at)
      : watermark_(companion != nullptr ? &companion->watermark : nullptr) {
    if (watermark_ != nullptr) page_ = watermark_->sent(at);
  }
  void acknowledged(MonoTime at) {
    if (watermark_ != nullptr) watermark_->acknowledged(page_, at);
  }
  void dropped() {
    if (watermark_ != nullptr) watermark_->dropped(page_);
  }

 private:
  Watermark* watermark_ = nullptr;
  Watermark::Page page_ = 0;
};

/// A page in hand with the memory it takes; gives both back when it dies.
struct HeldPage {
  HeldPage(endpoints::Scannable& from, endpoints::Page received, AsyncSemaphore::Lease memory,
           PageMark in_watermark)
      : page(std::move(received)), lease(std::move(memory)), mark(in_watermark), scan_(&from) {}
  HeldPage(const HeldPage&) = delete;
  HeldPage& operator=(const HeldPage&) = delete;
  ~HeldPage() { scan_->recycle(std::move(page)); }

  endpoints::Page page;
  AsyncSemaphore::Lease lease;
  PageMark mark;

 private:
  endpoints::Scannable* scan_;
};

/// One page being read, ahead of need.
struct ReadAhead {
  TaskGroup reading;
  std::unique_ptr<HeldPage> page;  ///< null if there was none
};
/// Starts reading the page at `cursor` (copy_read.cc). A read that ends without a page has halted the job or
/// was halted.
std::shared_ptr<ReadAhead> read_ahead(const std::shared_ptr<CopyRun>& run,
                                      const std::shared_ptr<UnitWork>& work, const endpoints::Cursor& cursor);

/// What became of a page's records.
struct PageOutcome {
  bool settled = false;  ///< every record is acknowledged or in `rejects`
  /// It was given up because it took too long, and nothing of it is on the wire: to be read again.
  bool stale = false;
  std::uint64_t written = 0;
  double wcu = 0;
  std::vector<state::Reject> rejects;
  std::vector<std::uint32_t> rejected_records;  ///< index into the page's, for each of `rejects`
};
/// Writes a page (copy_write.cc), which must stay as it is meanwhile. Not settled only when the job was
/// halted, or the page is stale.
Task<PageOutcome> write_page(std::shared_ptr<CopyRun> run, std::shared_ptr<UnitWork> work,
                             const endpoints::Page& received);

/// Works on one unit after the other until none is left or the job is halted (copy_work.cc).
Task<void> work_on_units(std::shared_ptr<CopyRun> run, Lane& lane, Random random,
                         std::shared_ptr<const state::JobState> job);

}  // namespace messina::jobs
