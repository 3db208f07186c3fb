// The ledger behind the jobs' interface, on a thread of its own.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "state/call_thread.h"
#include "state/job_store.h"
#include "state/ledger.h"

namespace messina::state {

/// Runs a Ledger's calls on one thread, so that no event loop ever waits for a disk. A coroutine that awaits
/// a call resumes on its own executor. Calls run in the order in which they were made. Thread-safe.
///
/// Destruction runs the calls that were accepted, hands their results to the waiting coroutines' executors
/// and joins the thread; those executors must still be there.
class LedgerStore final : public JobStore {
 public:
  /// Calls that may wait; jobs make one at a time. A call beyond this is answered `busy` and has not run.
  static constexpr std::size_t kMaxQueued = CallThread::kMaxQueued;

  /// `clock` measures the commits, from the ledger's thread; it outlives the store.
  LedgerStore(std::unique_ptr<Ledger> ledger, const Clock& clock);

  /// The arguments must live until the call is answered: with `co_await`, named variables of the caller do.
  Task<Result<std::optional<JobState>>> load() override;
  Task<Result<void>> begin(const JobState& fresh) override;
  Task<Result<void>> commit(const Commit& step) override;
  Task<Result<std::vector<std::string>>> live_reject_keys() override;
  Task<Result<std::vector<Reject>>> rejects(const RejectFilter& filter) override;
  /// See Ledger; `authority` lives until it is answered.
  Task<Result<Authority>> reserved_authority();
  Task<Result<void>> reserve_authority(const Authority& authority);

  struct Stats {
    std::uint64_t commits = 0;  ///< that succeeded
    Duration commit_sum{};      ///< time inside the ledger, waiting for the disk included
    Duration commit_max{};
    std::chrono::nanoseconds cpu{};  ///< CPU time of the ledger's thread so far, all calls
  };
  Stats stats() const;

 private:
  Result<void> timed_commit(const Commit& step);

  const std::unique_ptr<Ledger> ledger_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  Stats stats_;
  CallThread thread_{"ledger"};  // last: it uses all of the above
};

}  // namespace messina::state
